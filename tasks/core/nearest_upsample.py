"""Each pixel three times in both directions."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH = 2, 32, 32, 32

TASK = {
    "title": "Nearest-neighbour enlargement",
    "category": "resize and layout",
    "level": 1,
    "shapes": [{"BATCH": 3, "CHANNELS": 5, "HEIGHT": 13, "WIDTH": 19}],
    "hidden": [{"BATCH": 1, "CHANNELS": 7, "HEIGHT": 23, "WIDTH": 11}],
}


class Model(nn.Module):
    def forward(self, x):
        return F.interpolate(x, scale_factor=3, mode="nearest")


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]
