"""Average pool of a volume, without counting what lies outside of it."""

import torch
from torch import nn

BATCH, CHANNELS, DEPTH, HEIGHT, WIDTH = 2, 16, 16, 28, 28

TASK = {
    "title": "Average pool of volumes",
    "category": "pooling",
    "level": 1,
    "shapes": [{"BATCH": 1, "CHANNELS": 7, "DEPTH": 9, "HEIGHT": 13, "WIDTH": 15}],
    "hidden": [{"BATCH": 3, "CHANNELS": 5, "DEPTH": 11, "HEIGHT": 7, "WIDTH": 19}],
}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool3d(kernel_size=3, stride=2, padding=1, count_include_pad=False)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, DEPTH, HEIGHT, WIDTH)]
