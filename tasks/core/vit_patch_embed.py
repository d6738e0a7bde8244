"""Patches of an image to tokens, a class token in front, positions added."""

import torch
from torch import nn

BATCH, CHANNELS, ROWS, COLS, PATCH, WIDTH = 2, 3, 6, 6, 8, 96

TASK = {
    "title": "Patch embedding of a vision transformer",
    "category": "full architectures",
    "level": 3,
    "shapes": [{"BATCH": 3, "CHANNELS": 2, "ROWS": 3, "COLS": 5, "PATCH": 5, "WIDTH": 37}],
    "hidden": [{"BATCH": 1, "CHANNELS": 3, "ROWS": 5, "COLS": 4, "PATCH": 7, "WIDTH": 45}],
}


class Model(nn.Module):
    def __init__(self, channels, patch, width, tokens):
        super().__init__()
        self.embed = nn.Conv2d(channels, width, kernel_size=patch, stride=patch)
        self.first = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 1 + tokens, width))

    def forward(self, image):
        tokens = self.embed(image).flatten(2).transpose(1, 2)
        first = self.first.expand(image.shape[0], -1, -1)
        return torch.cat((first, tokens), dim=1) + self.position


def get_inputs():
    return [2 * torch.randn(BATCH, CHANNELS, ROWS * PATCH, COLS * PATCH)]


def get_init_inputs():
    return [CHANNELS, PATCH, WIDTH, ROWS * COLS]
