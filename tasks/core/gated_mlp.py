"""The feed-forward block of a language model: two projections, one gates the other, one back."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, WIDTH, INNER = 64, 128, 256

TASK = {
    "title": "Gated feed-forward block",
    "category": "fused blocks",
    "level": 3,
    "shapes": [{"TOKENS": 37, "WIDTH": 67, "INNER": 131}],
    "hidden": [{"TOKENS": 19, "WIDTH": 45, "INNER": 77}],
}


class Model(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate = nn.Linear(width, inner, bias=False)
        self.value = nn.Linear(width, inner, bias=False)
        self.back = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.back(F.silu(self.gate(x)) * self.value(x))


def get_inputs():
    return [2 * torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH, INNER]
