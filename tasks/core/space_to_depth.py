"""Blocks of 2x2 pixels to channels, pixels last."""

import torch
from torch import nn

BATCH, HEIGHT, WIDTH, CHANNELS = 2, 64, 64, 24

TASK = {
    "title": "Space to depth",
    "category": "resize and layout",
    "level": 1,
    "shapes": [{"BATCH": 3, "HEIGHT": 22, "WIDTH": 18, "CHANNELS": 5}],
    "hidden": [{"BATCH": 1, "HEIGHT": 34, "WIDTH": 14, "CHANNELS": 7}],
}


class Model(nn.Module):
    def forward(self, x):
        blocks = x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
        return blocks.transpose(2, 3).flatten(3)


def get_inputs():
    return [torch.randn(BATCH, HEIGHT, WIDTH, CHANNELS)]
