"""Mean Huber loss, as for value functions and box regression."""

import torch
from torch import nn
from torch.nn import functional as F

ROWS, COLS, DELTA = 2048, 1536, 1.5

TASK = {
    "title": "Huber loss",
    "category": "loss",
    "level": 1,
    "shapes": [{"ROWS": 131, "COLS": 517}],
    "hidden": [{"ROWS": 61, "COLS": 1027}],
    "operations": "6 * ROWS * COLS",
    "bytes_moved": "4 * 2 * ROWS * COLS + 4",
}


class Model(nn.Module):
    def forward(self, predictions, targets):
        return F.huber_loss(predictions, targets, delta=DELTA)


def get_inputs():
    near, far = 0.5 + torch.rand(2)
    return [near * torch.randn(ROWS, COLS), far * torch.randn(ROWS, COLS)]
