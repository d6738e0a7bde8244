"""A matrix times one vector: each number of the matrix is used once."""

import torch
from torch import nn

ROWS, COLS = 1536, 1024

TASK = {
    "title": "Matrix times vector",
    "category": "matmul",
    "level": 1,
    "shapes": [{"ROWS": 259, "COLS": 131}],
    "hidden": [{"ROWS": 77, "COLS": 517}],
}


class Model(nn.Module):
    def forward(self, a, x):
        return a @ x


def get_inputs():
    return [torch.randn(ROWS, COLS), torch.randn(COLS)]
