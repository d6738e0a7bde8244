"""Layer normalisation of each token."""

import torch
from torch import nn

TOKENS, WIDTH = 2048, 1536

TASK = {
    "title": "Layer norm",
    "category": "normalisation",
    "level": 1,
    "shapes": [{"TOKENS": 67, "WIDTH": 771}],
    "hidden": [{"TOKENS": 41, "WIDTH": 1283}],
    "operations": "8 * TOKENS * WIDTH",
    "bytes_moved": "4 * (2 * TOKENS * WIDTH + 2 * WIDTH)",
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
