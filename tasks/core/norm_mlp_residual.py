"""Layer norm, a small network with GELU, and the way around it."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, WIDTH, INNER = 64, 96, 192

TASK = {
    "title": "Norm, feed-forward and residual",
    "category": "fused blocks",
    "level": 3,
    "shapes": [{"TOKENS": 37, "WIDTH": 45, "INNER": 77}],
    "hidden": [{"TOKENS": 19, "WIDTH": 67, "INNER": 131}],
}


class Model(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


def get_inputs():
    return [torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH, INNER]
