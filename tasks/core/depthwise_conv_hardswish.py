"""The depthwise part of a mobile network's block: 3x3 convolution of each channel, hard-swish."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH = 8, 64, 56, 56

TASK = {
    "title": "Depthwise convolution and hard-swish",
    "category": "convolution",
    "level": 2,
    "shapes": [{"BATCH": 1, "CHANNELS": 7, "HEIGHT": 29, "WIDTH": 37}],
    "hidden": [{"BATCH": 2, "CHANNELS": 11, "HEIGHT": 15, "WIDTH": 45}],
    "operations": "BATCH * CHANNELS * HEIGHT * WIDTH * 24",
    "bytes_moved": "4 * (2 * BATCH * CHANNELS * HEIGHT * WIDTH + 10 * CHANNELS)",
}


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels)

    def forward(self, x):
        return F.hardswish(self.conv(x))


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS]
