"""Running sum along each row."""

import torch
from torch import nn

ROWS, COLS = 1024, 2048

TASK = {
    "title": "Cumulative sum of rows",
    "category": "reduction",
    "level": 1,
    "hidden": [{"ROWS": 67, "COLS": 515}],
    "operations": "ROWS * COLS",
    "bytes_moved": "2 * 4 * ROWS * COLS",
}


class Model(nn.Module):
    def forward(self, x):
        return torch.cumsum(x, dim=-1)


def get_inputs():
    return [torch.randn(ROWS, COLS)]
