"""A residual whose update is far below the rounding of what it is added to."""

import torch
from torch import nn

ROWS, WIDTH = 128, 512


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width, bias=False)

    def forward(self, x):
        return x + 1e-8 * self.linear(x)


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
