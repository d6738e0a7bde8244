"""A ConvNeXt block: a wide filter for each channel, layer norm, a network for each pixel."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, INNER, HEIGHT, WIDTH = 1, 24, 64, 16, 16

TASK = {
    "title": "ConvNeXt block",
    "category": "full architectures",
    "level": 4,
    "shapes": [{"BATCH": 2, "CHANNELS": 7, "INNER": 21, "HEIGHT": 9, "WIDTH": 13}],
    "hidden": [{"BATCH": 1, "CHANNELS": 11, "INNER": 17, "HEIGHT": 13, "WIDTH": 8}],
}


class Model(nn.Module):
    def __init__(self, channels, inner):
        super().__init__()
        self.filter = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.up = nn.Linear(channels, inner)
        self.down = nn.Linear(inner, channels)
        self.scale = nn.Parameter(0.5 + torch.rand(channels))

    def forward(self, x):
        y = self.norm(self.filter(x).permute(0, 2, 3, 1))
        y = self.scale * self.down(F.gelu(self.up(y)))
        return x + y.permute(0, 3, 1, 2)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS, INNER]
