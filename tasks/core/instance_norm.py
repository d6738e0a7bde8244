"""Instance norm of images with a learned style: each channel of each image by itself."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 4, 64, 48, 48

TASK = {
    "title": "Instance norm",
    "category": "normalisation",
    "level": 1,
    "shapes": [{"BATCH": 2, "CHANNELS": 13, "HEIGHT": 29, "WIDTH": 31}],
    "hidden": [{"BATCH": 3, "CHANNELS": 21, "HEIGHT": 17, "WIDTH": 23}],
}


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH) + 0.3]


def get_init_inputs():
    return [CHANNELS]
