"""A 3x3 convolution, ReLU and a max-pool: the first block of a small image network."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, INPUTS, OUTPUTS, HEIGHT, WIDTH = 4, 3, 24, 40, 40

TASK = {
    "title": "Convolution, ReLU and max-pool",
    "category": "fused blocks",
    "level": 2,
    "shapes": [{"BATCH": 3, "INPUTS": 5, "OUTPUTS": 7, "HEIGHT": 22, "WIDTH": 18}],
    "hidden": [{"BATCH": 2, "INPUTS": 3, "OUTPUTS": 11, "HEIGHT": 14, "WIDTH": 30}],
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)

    def forward(self, x):
        return F.max_pool2d(torch.relu(self.conv(x)), kernel_size=2)


def get_inputs():
    return [torch.randn(BATCH, INPUTS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
