"""GELU of a scaled and shifted activation."""

import torch
from torch import nn

ROWS, WIDTH = 128, 512

TASK = {
    "title": "Scale, shift, GELU",
    "operations": "10 * ROWS * WIDTH",
    "bytes_moved": "4 * (2 * ROWS * WIDTH + 2 * WIDTH)",
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return torch.nn.functional.gelu(x * self.scale + self.bias)


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
