"""A 1x1 convolution with bias, and ReLU held below six."""

import torch
from torch import nn

BATCH, INPUTS, OUTPUTS, HEIGHT, WIDTH = 4, 48, 96, 28, 28

TASK = {
    "title": "Pointwise convolution and ReLU6",
    "category": "convolution",
    "level": 2,
    "shapes": [{"BATCH": 3, "INPUTS": 17, "OUTPUTS": 29, "HEIGHT": 13, "WIDTH": 19}],
    "hidden": [{"BATCH": 1, "INPUTS": 37, "OUTPUTS": 21, "HEIGHT": 23, "WIDTH": 11}],
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=1)

    def forward(self, x):
        return torch.clamp(self.conv(x), 0.0, 6.0)


def get_inputs():
    return [6 * torch.randn(BATCH, INPUTS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
