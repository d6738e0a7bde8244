"""An inverted residual block: wide and pointwise, one filter a channel, and back to few channels."""

import torch
from torch import nn

BATCH, CHANNELS, INNER, HEIGHT, WIDTH = 2, 16, 64, 20, 20

TASK = {
    "title": "Inverted residual block",
    "category": "full architectures",
    "level": 4,
    "shapes": [{"BATCH": 1, "CHANNELS": 7, "INNER": 21, "HEIGHT": 13, "WIDTH": 11}],
    "hidden": [{"BATCH": 3, "CHANNELS": 5, "INNER": 13, "HEIGHT": 9, "WIDTH": 15}],
}


class Model(nn.Module):
    def __init__(self, channels, inner):
        super().__init__()
        self.expand = nn.Conv2d(channels, inner, 1)
        self.filter = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.narrow = nn.Conv2d(inner, channels, 1)

    def forward(self, x):
        y = torch.clamp(self.expand(x), 0.0, 2.0)
        y = torch.clamp(self.filter(y), 0.0, 1.0)
        return x + self.narrow(y)


def get_inputs():
    return [3 * torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS, INNER]
