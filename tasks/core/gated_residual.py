"""A residual connection with a learned sigmoid gate."""

import torch
from torch import nn

TOKENS, WIDTH = 2048, 1024

TASK = {
    "title": "Sigmoid-gated residual",
    "category": "elementwise and broadcast",
    "level": 2,
    "shapes": [{"TOKENS": 61, "WIDTH": 515}],
    "hidden": [{"TOKENS": 131, "WIDTH": 203}],
    "operations": "6 * TOKENS * WIDTH",
    "bytes_moved": "4 * (4 * TOKENS * WIDTH + WIDTH)",
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bias = nn.Parameter(0.5 * torch.randn(width))

    def forward(self, x, update, gate):
        return x + torch.sigmoid(gate + self.bias) * update


def get_inputs():
    return [torch.randn(TOKENS, WIDTH) for _ in range(3)]


def get_init_inputs():
    return [WIDTH]
