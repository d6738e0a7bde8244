"""Bias, then the exact GELU (by erf), over a batch of sequences."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, TOKENS, WIDTH = 4, 128, 4096

TASK = {
    "title": "Bias and GELU (erf)",
    "category": "activation",
    "level": 1,
    "shapes": [{"BATCH": 1, "TOKENS": 37, "WIDTH": 515}],
    "hidden": [{"BATCH": 3, "TOKENS": 5, "WIDTH": 1023}],
    "operations": "6 * BATCH * TOKENS * WIDTH",
    "bytes_moved": "4 * (2 * BATCH * TOKENS * WIDTH + WIDTH)",
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bias = nn.Parameter(0.1 * torch.randn(width))

    def forward(self, x):
        return F.gelu(x + self.bias)


def get_inputs():
    return [torch.randn(BATCH, TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
