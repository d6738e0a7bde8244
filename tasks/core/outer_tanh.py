"""Every pair of a row and a column number, added and bent: scores of additive attention."""

import torch
from torch import nn

BATCH, ROWS, COLS = 4, 256, 256

TASK = {
    "title": "Tanh of all sums of two vectors",
    "category": "elementwise and broadcast",
    "level": 1,
    "shapes": [{"BATCH": 3, "ROWS": 37, "COLS": 61}],
    "hidden": [{"BATCH": 2, "ROWS": 77, "COLS": 45}],
}


class Model(nn.Module):
    def forward(self, x, y):
        return torch.tanh(x[:, :, None] + y[:, None, :])


def get_inputs():
    return [torch.randn(BATCH, ROWS), torch.randn(BATCH, COLS)]
