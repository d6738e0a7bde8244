"""A 3x3 convolution in groups of channels that do not see each other."""

import torch
from torch import nn

BATCH, GROUPS, CHANNELS, HEIGHT, WIDTH = 2, 8, 64, 28, 28

TASK = {
    "title": "Grouped convolution",
    "category": "convolution",
    "level": 1,
    "shapes": [{"BATCH": 1, "GROUPS": 3, "CHANNELS": 21, "HEIGHT": 13, "WIDTH": 19}],
    "hidden": [{"BATCH": 3, "GROUPS": 5, "CHANNELS": 15, "HEIGHT": 17, "WIDTH": 11}],
}


class Model(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=groups)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS, GROUPS]
