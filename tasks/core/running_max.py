"""The largest number of each row so far."""

import torch
from torch import nn

ROWS, COLS = 512, 1024

TASK = {
    "title": "Running maximum of rows",
    "category": "reduction",
    "level": 1,
    "shapes": [{"ROWS": 61, "COLS": 259}],
    "hidden": [{"ROWS": 29, "COLS": 517}],
}


class Model(nn.Module):
    def forward(self, x):
        return torch.cummax(x, dim=-1).values


def get_inputs():
    drift = torch.arange(COLS) / COLS
    return [torch.randn(ROWS, COLS) + 3 * drift]
