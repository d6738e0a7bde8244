"""Bytes times 6-bit weights, four of which lie in three bytes, as in FlexQ (arXiv:2508.04405)."""

import torch
from torch import nn

TOKENS, GROUPS, SIZE, OUTPUTS = 16, 4, 64, 192

TASK = {
    "title": "W6A8 product",
    "category": "matmul",
    "level": 3,
    "full": [{"TOKENS": 16, "GROUPS": 32, "SIZE": 128, "OUTPUTS": 4096}],
    "shapes": [{"TOKENS": 3, "GROUPS": 3, "SIZE": 32, "OUTPUTS": 77}],
    "hidden": [{"TOKENS": 5, "GROUPS": 5, "SIZE": 16, "OUTPUTS": 61}],
}


class Model(nn.Module):
    def forward(self, x, packed, token_scale, scale):
        a, b, c = packed.int().unbind(-1)
        four = (a & 63, (a >> 6) | ((b & 15) << 2), (b >> 4) | ((c & 3) << 4), c >> 2)
        weight = torch.stack(four, dim=-1).flatten(-2) - 32
        parts = torch.einsum("tgk,ogk->tog", x.float(), weight.float())
        return (parts * scale).sum(dim=-1) * token_scale.unsqueeze(-1)


def get_inputs():
    x = torch.randint(-127, 128, (TOKENS, GROUPS, SIZE), dtype=torch.int8)
    packed = torch.randint(0, 256, (OUTPUTS, GROUPS, SIZE // 4, 3), dtype=torch.uint8)
    return [x, packed, 0.01 + 0.01 * torch.rand(TOKENS), 0.01 + 0.02 * torch.rand(OUTPUTS, GROUPS)]
