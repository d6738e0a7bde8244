"""A 3x3 convolution with the gradients of its input, weight and bias."""

import torch
from torch import nn

BATCH, INPUTS, OUTPUTS, HEIGHT, WIDTH = 2, 12, 16, 20, 20

TASK = {
    "title": "Convolution with backward",
    "category": "convolution",
    "level": 2,
    "backward": True,
    "operations": "3 * 18 * BATCH * INPUTS * OUTPUTS * HEIGHT * WIDTH",
    "shapes": [{"BATCH": 1, "INPUTS": 5, "OUTPUTS": 7, "HEIGHT": 11, "WIDTH": 13}],
    "hidden": [{"BATCH": 3, "INPUTS": 3, "OUTPUTS": 5, "HEIGHT": 9, "WIDTH": 17}],
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(BATCH, INPUTS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
