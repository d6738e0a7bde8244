"""A basic block of a residual network at inference, with a shortcut that halves the image."""

import torch
from torch import nn

BATCH, INPUTS, OUTPUTS, HEIGHT, WIDTH = 2, 16, 32, 24, 24

TASK = {
    "title": "Residual block",
    "category": "full architectures",
    "level": 4,
    "shapes": [{"BATCH": 1, "INPUTS": 5, "OUTPUTS": 9, "HEIGHT": 13, "WIDTH": 17}],
    "hidden": [{"BATCH": 3, "INPUTS": 7, "OUTPUTS": 5, "HEIGHT": 11, "WIDTH": 9}],
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs, eps=1e-3)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs, eps=1e-3)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x):
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.norm3(self.shortcut(x)))


def get_inputs():
    return [torch.randn(BATCH, INPUTS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
