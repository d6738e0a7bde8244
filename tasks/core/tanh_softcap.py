"""Logits held within a cap by a hyperbolic tangent."""

import torch
from torch import nn

ROWS, COLS = 512, 2048
CAP = 5.0

TASK = {
    "title": "Soft cap of logits",
    "category": "activation",
    "level": 1,
    "shapes": [{"ROWS": 45, "COLS": 1003}],
    "hidden": [{"ROWS": 131, "COLS": 311}],
}


class Model(nn.Module):
    def forward(self, x):
        return CAP * torch.tanh(x / CAP)


def get_inputs():
    return [4 * torch.randn(ROWS, COLS)]
