"""The activation of a transformer's feed-forward layer: bias, then GELU by its tanh formula."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, WIDTH = 512, 3072

TASK = {
    "title": "Bias and GELU (tanh)",
    "category": "activation",
    "level": 1,
    "shapes": [{"TOKENS": 61, "WIDTH": 333}],
    "hidden": [{"TOKENS": 7, "WIDTH": 2049}],
    "operations": "10 * TOKENS * WIDTH",
    "bytes_moved": "4 * (2 * TOKENS * WIDTH + WIDTH)",
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bias = nn.Parameter(0.1 * torch.randn(width))

    def forward(self, x):
        return F.gelu(x + self.bias, approximate="tanh")


def get_inputs():
    return [torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
