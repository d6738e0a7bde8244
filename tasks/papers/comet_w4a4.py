"""Both operands in 4 bits, packed and scaled in groups, as in COMET (arXiv:2410.12168)."""

import torch
from torch import nn

TOKENS, GROUPS, SIZE, OUTPUTS = 32, 4, 64, 192

TASK = {
    "title": "W4A4 product",
    "category": "matmul",
    "level": 3,
    "full": [{"TOKENS": 256, "GROUPS": 32, "SIZE": 128, "OUTPUTS": 4096}],
    "shapes": [{"TOKENS": 7, "GROUPS": 3, "SIZE": 32, "OUTPUTS": 77}],
    "hidden": [{"TOKENS": 13, "GROUPS": 5, "SIZE": 16, "OUTPUTS": 61}],
}


def unpacked(packed):
    return torch.stack((packed & 15, packed >> 4), dim=-1).flatten(-2).float() - 8


class Model(nn.Module):
    def forward(self, x, weight, token_scale, scale):
        parts = torch.einsum("tgk,ogk->tog", unpacked(x), unpacked(weight))
        return torch.einsum("tog,tg,og->to", parts, token_scale, scale)


def get_inputs():
    x = torch.randint(0, 256, (TOKENS, GROUPS, SIZE // 2), dtype=torch.uint8)
    weight = torch.randint(0, 256, (OUTPUTS, GROUPS, SIZE // 2), dtype=torch.uint8)
    token_scale = 0.1 + 0.1 * torch.rand(TOKENS, GROUPS)
    return [x, weight, token_scale, 0.01 + 0.02 * torch.rand(OUTPUTS, GROUPS)]
