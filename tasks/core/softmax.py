"""Softmax of each row."""

import torch
from torch import nn

ROWS, COLS = 1024, 2048

TASK = {
    "title": "Row softmax",
    "category": "activation",
    "level": 1,
    "shapes": [{"ROWS": 53, "COLS": 1009}],
    "hidden": [{"ROWS": 129, "COLS": 317}],
    "operations": "5 * ROWS * COLS",
    "bytes_moved": "2 * 4 * ROWS * COLS",
}


class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x, dim=-1)


def get_inputs():
    return [torch.randn(ROWS, COLS)]
