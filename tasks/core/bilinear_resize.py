"""Bilinear resize to a size that is no multiple."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH, TALL, WIDE = 2, 24, 48, 48, 72, 60

TASK = {
    "title": "Bilinear resize",
    "category": "resize and layout",
    "level": 1,
    "shapes": [{"BATCH": 1, "CHANNELS": 5, "HEIGHT": 19, "WIDTH": 23, "TALL": 31, "WIDE": 17}],
    "hidden": [{"BATCH": 3, "CHANNELS": 3, "HEIGHT": 29, "WIDTH": 13, "TALL": 21, "WIDE": 37}],
}


class Model(nn.Module):
    def __init__(self, tall, wide):
        super().__init__()
        self.size = (tall, wide)

    def forward(self, x):
        return F.interpolate(x, size=self.size, mode="bilinear", align_corners=False)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [TALL, WIDE]
