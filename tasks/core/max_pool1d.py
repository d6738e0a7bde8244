"""Max-pool over time, windows that overlap."""

import torch
from torch import nn

BATCH, CHANNELS, STEPS = 8, 64, 512

TASK = {
    "title": "Max-pool over time",
    "category": "pooling",
    "level": 1,
    "shapes": [{"BATCH": 3, "CHANNELS": 13, "STEPS": 131}],
    "hidden": [{"BATCH": 2, "CHANNELS": 21, "STEPS": 207}],
}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool1d(kernel_size=5, stride=2, padding=2)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, STEPS)]
