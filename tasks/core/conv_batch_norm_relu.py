"""A block of a convolutional network at inference: 3x3 convolution, batch norm, ReLU."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 4, 32, 56, 56

TASK = {
    "title": "Convolution, batch norm (inference) and ReLU",
    "category": "convolution",
    "level": 2,
    "shapes": [{"BATCH": 1, "CHANNELS": 13, "HEIGHT": 23, "WIDTH": 31}],
    "hidden": [{"BATCH": 2, "CHANNELS": 9, "HEIGHT": 17, "WIDTH": 41}],
    "operations": "BATCH * CHANNELS * HEIGHT * WIDTH * (18 * CHANNELS + 3)",
    "bytes_moved": "4 * (2 * BATCH * CHANNELS * HEIGHT * WIDTH + 9 * CHANNELS * CHANNELS"
    " + 4 * CHANNELS)",
}


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)))


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS]
