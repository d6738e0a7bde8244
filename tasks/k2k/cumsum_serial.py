"""Running sums down the columns."""

import torch
from torch import nn

BATCH, STEPS, WIDTH = 4, 512, 128

TASK = {
    "title": "Running sum down columns, from a serial kernel",
    "category": "reduction",
    "level": 1,
    "shapes": [{"BATCH": 3, "STEPS": 97, "WIDTH": 41}],
    "hidden": [{"BATCH": 2, "STEPS": 61, "WIDTH": 19}],
    "start": "start/cumsum_serial.py",
}


class Model(nn.Module):
    def forward(self, x):
        return torch.cumsum(x, dim=1)


def get_inputs():
    return [torch.randn(BATCH, STEPS, WIDTH)]
