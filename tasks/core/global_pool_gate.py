"""Channels gated by their own mean: global average pool, hard-sigmoid, scale."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH = 16, 256, 28, 28

TASK = {
    "title": "Gate by global average pool",
    "category": "pooling",
    "level": 2,
    "shapes": [{"BATCH": 3, "CHANNELS": 45, "HEIGHT": 13, "WIDTH": 17}],
    "hidden": [{"BATCH": 2, "CHANNELS": 77, "HEIGHT": 9, "WIDTH": 11}],
    "operations": "2 * BATCH * CHANNELS * HEIGHT * WIDTH + 6 * BATCH * CHANNELS",
    "bytes_moved": "4 * (2 * BATCH * CHANNELS * HEIGHT * WIDTH + 2 * CHANNELS)",
}


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels))
        self.bias = nn.Parameter(torch.randn(channels))

    def forward(self, x):
        mean = F.adaptive_avg_pool2d(x, 1).flatten(1)
        gate = F.hardsigmoid(mean * self.weight + self.bias)
        return x * gate[:, :, None, None]


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH) + torch.randn(BATCH, CHANNELS, 1, 1)]


def get_init_inputs():
    return [CHANNELS]
