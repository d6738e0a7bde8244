"""Batch norm at inference (running statistics) and ReLU."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 16, 64, 56, 56

TASK = {
    "title": "Batch norm (inference) and ReLU",
    "category": "normalisation",
    "level": 1,
    "shapes": [{"BATCH": 3, "CHANNELS": 17, "HEIGHT": 29, "WIDTH": 23}],
    "hidden": [{"BATCH": 2, "CHANNELS": 33, "HEIGHT": 7, "WIDTH": 19}],
    "operations": "3 * BATCH * CHANNELS * HEIGHT * WIDTH",
    "bytes_moved": "4 * (2 * BATCH * CHANNELS * HEIGHT * WIDTH + 4 * CHANNELS)",
}


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu(self.norm(x))


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS]
