"""Batch norm in training: statistics of the batch, and running ones that move with them."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 8, 32, 28, 28

TASK = {
    "title": "Batch norm, training",
    "category": "normalisation",
    "level": 2,
    "modes": ["train"],
    "shapes": [{"BATCH": 3, "CHANNELS": 17, "HEIGHT": 13, "WIDTH": 19}],
    "hidden": [{"BATCH": 5, "CHANNELS": 9, "HEIGHT": 23, "WIDTH": 11}],
}


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu(self.norm(x))


def get_inputs():
    return [2 * torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH) + 0.5]


def get_init_inputs():
    return [CHANNELS]
