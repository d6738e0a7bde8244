"""Max-pool 2x2, with the gradient that goes to the largest of each window."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH = 4, 32, 32, 32

TASK = {
    "title": "Max-pool with backward",
    "category": "pooling",
    "level": 2,
    "backward": True,
    "shapes": [{"BATCH": 3, "CHANNELS": 7, "HEIGHT": 22, "WIDTH": 18}],
    "hidden": [{"BATCH": 2, "CHANNELS": 11, "HEIGHT": 14, "WIDTH": 26}],
}


class Model(nn.Module):
    def forward(self, x):
        return F.max_pool2d(x, kernel_size=2)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]
