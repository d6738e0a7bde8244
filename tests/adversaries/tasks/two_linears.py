"""Two linear layers in a row, the first to a smaller width."""

import torch
from torch import nn

ROWS, WIDTH, RANK = 128, 256, 192


class Model(nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=False)

    def forward(self, x):
        return self.up(self.down(x))


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]


def get_init_inputs():
    return [WIDTH, RANK]
