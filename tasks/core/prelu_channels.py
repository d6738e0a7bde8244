"""Leaky ReLU whose slope is learned for each channel of a feature map."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 8, 64, 40, 40

TASK = {
    "title": "PReLU, a slope for each channel",
    "category": "activation",
    "level": 1,
    "shapes": [{"BATCH": 3, "CHANNELS": 17, "HEIGHT": 23, "WIDTH": 19}],
    "hidden": [{"BATCH": 2, "CHANNELS": 37, "HEIGHT": 11, "WIDTH": 29}],
}


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.slope = nn.Parameter(0.25 * torch.rand(channels))

    def forward(self, x):
        return torch.where(x > 0, x, x * self.slope[:, None, None])


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS]
