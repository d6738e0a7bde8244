"""Sum over the rows: the gradient of a bias."""

import torch
from torch import nn

ROWS, COLS = 4096, 2048

TASK = {
    "title": "Sum over rows",
    "category": "reduction",
    "level": 1,
    "shapes": [{"ROWS": 517, "COLS": 301}],
    "hidden": [{"ROWS": 1023, "COLS": 77}],
    "operations": "ROWS * COLS",
    "bytes_moved": "4 * (ROWS * COLS + COLS)",
}


class Model(nn.Module):
    def forward(self, x):
        return x.sum(dim=0)


def get_inputs():
    return [torch.randn(ROWS, COLS)]
