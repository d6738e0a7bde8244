"""A 3x3x3 convolution over a short clip."""

import torch
from torch import nn

BATCH, INPUTS, OUTPUTS, FRAMES, HEIGHT, WIDTH = 1, 8, 16, 8, 24, 24

TASK = {
    "title": "Convolution in three dimensions",
    "category": "convolution",
    "level": 1,
    "shapes": [{"BATCH": 2, "INPUTS": 5, "OUTPUTS": 7, "FRAMES": 5, "HEIGHT": 11, "WIDTH": 13}],
    "hidden": [{"BATCH": 1, "INPUTS": 3, "OUTPUTS": 9, "FRAMES": 7, "HEIGHT": 9, "WIDTH": 17}],
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, kernel_size=3, padding=1)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(BATCH, INPUTS, FRAMES, HEIGHT, WIDTH)]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
