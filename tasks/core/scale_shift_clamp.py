"""A scale and shift for each channel of an image, clamped to [0, 6] (ReLU6)."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 16, 64, 56, 56

TASK = {
    "title": "Channel scale, shift and clamp",
    "category": "elementwise and broadcast",
    "level": 1,
    "shapes": [{"BATCH": 3, "CHANNELS": 17, "HEIGHT": 23, "WIDTH": 29}],
    "hidden": [{"BATCH": 2, "CHANNELS": 9, "HEIGHT": 31, "WIDTH": 13}],
    "operations": "4 * BATCH * CHANNELS * HEIGHT * WIDTH",
    "bytes_moved": "4 * (2 * BATCH * CHANNELS * HEIGHT * WIDTH + 2 * CHANNELS)",
}


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(1 + 0.2 * torch.randn(channels, 1, 1))
        self.shift = nn.Parameter(0.5 + 0.2 * torch.randn(channels, 1, 1))

    def forward(self, x):
        return torch.clamp(x * self.scale + self.shift, min=0.0, max=6.0)


def get_inputs():
    return [2 * torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS]
