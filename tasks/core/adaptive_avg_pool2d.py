"""Average pool to a grid that does not divide the image: windows differ in size."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH, GRID = 4, 64, 32, 32, 7

TASK = {
    "title": "Average pool to a grid",
    "category": "pooling",
    "level": 1,
    "shapes": [{"BATCH": 3, "CHANNELS": 13, "HEIGHT": 23, "WIDTH": 19, "GRID": 5}],
    "hidden": [{"BATCH": 2, "CHANNELS": 21, "HEIGHT": 17, "WIDTH": 29, "GRID": 6}],
}


class Model(nn.Module):
    def __init__(self, grid):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(grid)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [GRID]
