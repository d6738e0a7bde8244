"""A matrix plus the transposition of another."""

import torch
from torch import nn

ROWS, COLS = 768, 640

TASK = {
    "title": "Sum with a transposed matrix, from sequential C++",
    "category": "transposition",
    "level": 1,
    "shapes": [{"ROWS": 131, "COLS": 77}],
    "hidden": [{"ROWS": 45, "COLS": 203}],
    "start": "start/serial_add_transposed.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def forward(self, a, b):
        return a + b.T


def get_inputs():
    return [torch.randn(ROWS, COLS), torch.randn(COLS, ROWS)]
