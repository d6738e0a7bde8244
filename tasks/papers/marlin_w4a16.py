"""Half-precision activations times 4-bit weights with scales in groups: MARLIN (arXiv:2408.11743)."""

import torch
from torch import nn

TOKENS, GROUPS, SIZE, OUTPUTS = 16, 6, 64, 192

TASK = {
    "title": "W4A16 product",
    "category": "matmul",
    "level": 3,
    "tolerance": "fp16",
    "dtypes": ["float16"],
    "full": [{"TOKENS": 16, "GROUPS": 32, "SIZE": 128, "OUTPUTS": 4096}],
    "shapes": [{"TOKENS": 3, "GROUPS": 3, "SIZE": 32, "OUTPUTS": 77}],
    "hidden": [{"TOKENS": 5, "GROUPS": 5, "SIZE": 16, "OUTPUTS": 131}],
}


class Model(nn.Module):
    def forward(self, x, packed, scale):
        whole = torch.stack((packed & 15, packed >> 4), dim=-1).flatten(-2)
        weight = (whole.float() - 8) * scale.float().unsqueeze(-1)
        return (x.float() @ weight.flatten(1).t()).half()


def get_inputs():
    x = torch.randn(TOKENS, GROUPS * SIZE).half()
    packed = torch.randint(0, 256, (OUTPUTS, GROUPS, SIZE // 2), dtype=torch.uint8)
    return [x, packed, (0.02 * torch.rand(OUTPUTS, GROUPS) + 0.01).half()]
