"""Every 3x3 neighbourhood of an image as a row: a convolution turned into a product."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH = 2, 16, 32, 32

TASK = {
    "title": "Neighbourhoods to rows",
    "category": "resize and layout",
    "level": 1,
    "shapes": [{"BATCH": 1, "CHANNELS": 5, "HEIGHT": 13, "WIDTH": 19}],
    "hidden": [{"BATCH": 3, "CHANNELS": 3, "HEIGHT": 17, "WIDTH": 11}],
}


class Model(nn.Module):
    def forward(self, x):
        return F.unfold(x, kernel_size=3, padding=1).transpose(1, 2).contiguous()


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]
