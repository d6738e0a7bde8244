"""A sigmoid gate for each channel times a tensor, with the gradients of both."""

import torch
from torch import nn

TOKENS, WIDTH = 512, 512

TASK = {
    "title": "Gate by channel with backward",
    "category": "elementwise and broadcast",
    "level": 2,
    "backward": True,
    "shapes": [{"TOKENS": 61, "WIDTH": 131}],
    "hidden": [{"TOKENS": 37, "WIDTH": 203}],
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gate = nn.Parameter(torch.randn(width))

    def forward(self, x, y):
        return torch.sigmoid(self.gate) * x * y


def get_inputs():
    return [torch.randn(TOKENS, WIDTH), torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
