"""A transposed convolution that doubles the size of a feature map."""

import torch
from torch import nn

BATCH, INPUTS, OUTPUTS, HEIGHT, WIDTH = 2, 32, 24, 20, 20

TASK = {
    "title": "Transposed convolution, stride 2",
    "category": "convolution",
    "level": 1,
    "shapes": [{"BATCH": 1, "INPUTS": 13, "OUTPUTS": 7, "HEIGHT": 11, "WIDTH": 17}],
    "hidden": [{"BATCH": 3, "INPUTS": 5, "OUTPUTS": 9, "HEIGHT": 15, "WIDTH": 7}],
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(BATCH, INPUTS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
