"""Every expert's own network over its own tokens, all in one operator: FlashMoE (arXiv:2506.04667)."""

import torch
from torch import nn

EXPERTS, CAPACITY, WIDTH, INNER = 8, 16, 48, 96

TASK = {
    "title": "Mixture of experts: networks of the experts",
    "category": "fused blocks",
    "level": 3,
    "full": [{"EXPERTS": 64, "CAPACITY": 160, "WIDTH": 2048, "INNER": 2048}],
    "shapes": [{"EXPERTS": 5, "CAPACITY": 7, "WIDTH": 21, "INNER": 37}],
    "hidden": [{"EXPERTS": 3, "CAPACITY": 11, "WIDTH": 13, "INNER": 45}],
}


class Model(nn.Module):
    def __init__(self, experts, width, inner):
        super().__init__()
        self.up = nn.Parameter(torch.randn(experts, width, inner) / width**0.5)
        self.shift = nn.Parameter(torch.zeros(experts, 1, inner))
        self.down = nn.Parameter(torch.randn(experts, inner, width) / inner**0.5)

    def forward(self, x):
        inner = nn.functional.gelu(torch.bmm(x, self.up) + self.shift)
        return torch.bmm(inner, self.down)


def get_inputs():
    return [2 * torch.randn(EXPERTS, CAPACITY, WIDTH)]


def get_init_inputs():
    return [EXPERTS, WIDTH, INNER]
