"""Softmax of each row."""

import torch
from torch import nn

ROWS, COLS = 512, 2048

TASK = {
    "title": "Row softmax, from a scalar kernel",
    "category": "activation",
    "level": 1,
    "shapes": [{"ROWS": 53, "COLS": 1009}],
    "hidden": [{"ROWS": 129, "COLS": 317}],
    "start": "start/softmax_scalar.py",
}


class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x, dim=-1)


def get_inputs():
    return [torch.randn(ROWS, COLS)]
