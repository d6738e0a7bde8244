"""ELU of one tensor times SELU of another."""

import torch
from torch import nn
from torch.nn import functional as F

ROWS, COLS = 512, 1024

TASK = {
    "title": "Product of ELU and SELU",
    "category": "activation",
    "level": 1,
    "shapes": [{"ROWS": 61, "COLS": 333}],
    "hidden": [{"ROWS": 19, "COLS": 1027}],
}


class Model(nn.Module):
    def forward(self, x, y):
        return F.elu(x, 0.7) * F.selu(y)


def get_inputs():
    return [torch.randn(ROWS, COLS), torch.randn(ROWS, COLS)]
