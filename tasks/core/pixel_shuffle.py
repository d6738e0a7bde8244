"""Channels to pixels: the last step of networks that enlarge images, with a bias on the way."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH = 2, 16, 40, 40

TASK = {
    "title": "Pixel shuffle",
    "category": "resize and layout",
    "level": 1,
    "shapes": [{"BATCH": 3, "CHANNELS": 5, "HEIGHT": 13, "WIDTH": 19}],
    "hidden": [{"BATCH": 1, "CHANNELS": 7, "HEIGHT": 23, "WIDTH": 11}],
}


class Model(nn.Module):
    def forward(self, x, bias):
        return F.pixel_shuffle(x + bias[:, None, None], 2)


def get_inputs():
    return [torch.randn(BATCH, 4 * CHANNELS, HEIGHT, WIDTH), torch.randn(4 * CHANNELS)]
