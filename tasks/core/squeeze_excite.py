"""Channels of feature maps weighted by what a small network makes of their means."""

import torch
from torch import nn

BATCH, CHANNELS, INNER, HEIGHT, WIDTH = 4, 96, 24, 24, 24

TASK = {
    "title": "Squeeze and excitation",
    "category": "fused blocks",
    "level": 3,
    "shapes": [{"BATCH": 3, "CHANNELS": 21, "INNER": 7, "HEIGHT": 13, "WIDTH": 11}],
    "hidden": [{"BATCH": 2, "CHANNELS": 37, "INNER": 9, "HEIGHT": 9, "WIDTH": 17}],
}


class Model(nn.Module):
    def __init__(self, channels, inner):
        super().__init__()
        self.down = nn.Linear(channels, inner)
        self.up = nn.Linear(inner, channels)

    def forward(self, x):
        weight = torch.relu(self.down(x.mean(dim=(2, 3))))
        return x * torch.sigmoid(self.up(weight))[:, :, None, None]


def get_inputs():
    shade = 2 * torch.randn(BATCH, CHANNELS, 1, 1)
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH) + shade]


def get_init_inputs():
    return [CHANNELS, INNER]
