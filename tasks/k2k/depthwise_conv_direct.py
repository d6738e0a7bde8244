"""Depthwise 3x3 convolution with a padding of one."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 4, 32, 56, 56

TASK = {
    "title": "Depthwise convolution, from a direct kernel",
    "category": "convolution",
    "level": 1,
    "shapes": [{"BATCH": 1, "CHANNELS": 13, "HEIGHT": 19, "WIDTH": 37}],
    "hidden": [{"BATCH": 3, "CHANNELS": 7, "HEIGHT": 29, "WIDTH": 11}],
    "start": "start/depthwise_conv_direct.py",
}


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS]
