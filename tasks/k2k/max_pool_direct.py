"""Maximum of 3x3 windows, two apart, with a padding of one."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 4, 32, 56, 56

TASK = {
    "title": "Max pooling, from a direct kernel",
    "category": "pooling",
    "level": 1,
    "shapes": [{"BATCH": 1, "CHANNELS": 13, "HEIGHT": 19, "WIDTH": 37}],
    "hidden": [{"BATCH": 3, "CHANNELS": 7, "HEIGHT": 30, "WIDTH": 11}],
    "start": "start/max_pool_direct.py",
}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]
