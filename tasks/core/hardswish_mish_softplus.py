"""Three smooth activations mixed: mish of the hard-swish, plus a softplus of the input."""

import torch
from torch import nn
from torch.nn import functional as F

ROWS, COLS = 512, 2048

TASK = {
    "title": "Hard-swish, mish and softplus",
    "category": "activation",
    "level": 2,
    "shapes": [{"ROWS": 13, "COLS": 517}],
    "hidden": [{"ROWS": 67, "COLS": 129}],
    "operations": "14 * ROWS * COLS",
    "bytes_moved": "2 * 4 * ROWS * COLS",
}


class Model(nn.Module):
    def forward(self, x):
        return F.mish(F.hardswish(x)) + 0.5 * F.softplus(x)


def get_inputs():
    return [3 * torch.randn(ROWS, COLS)]
