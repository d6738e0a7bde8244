"""Pooling by the root of the mean square of each 2x2 window."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH = 4, 64, 32, 32

TASK = {
    "title": "Root-mean-square pool",
    "category": "pooling",
    "level": 2,
    "shapes": [{"BATCH": 3, "CHANNELS": 13, "HEIGHT": 22, "WIDTH": 18}],
    "hidden": [{"BATCH": 2, "CHANNELS": 21, "HEIGHT": 14, "WIDTH": 26}],
}


class Model(nn.Module):
    def forward(self, x):
        return torch.sqrt(F.avg_pool2d(x * x, kernel_size=2) + 1e-6)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]
