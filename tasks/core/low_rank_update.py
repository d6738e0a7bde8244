"""A low-rank adapter: a product over few dimensions, scaled, added to a frozen layer's output."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, RANK, WIDTH = 1024, 16, 1024

TASK = {
    "title": "Small-rank product with a long epilogue",
    "category": "matmul",
    "level": 2,
    "shapes": [{"TOKENS": 77, "RANK": 8, "WIDTH": 509}],
    "hidden": [{"TOKENS": 51, "RANK": 5, "WIDTH": 259}],
    "operations": "2 * TOKENS * RANK * WIDTH + 8 * TOKENS * WIDTH",
    "bytes_moved": "4 * (TOKENS * RANK + RANK * WIDTH + WIDTH + 2 * TOKENS * WIDTH)",
}


class Model(nn.Module):
    def __init__(self, rank, width):
        super().__init__()
        self.up = nn.Linear(rank, width)

    def forward(self, down, frozen):
        return F.silu(self.up(down)) * 0.5 + frozen


def get_inputs():
    return [torch.randn(TOKENS, RANK), torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [RANK, WIDTH]
