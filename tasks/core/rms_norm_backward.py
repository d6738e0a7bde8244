"""RMS norm with the gradients of its input and its weight."""

import torch
from torch import nn

TOKENS, WIDTH = 512, 1024

TASK = {
    "title": "RMS norm with backward",
    "category": "normalisation",
    "level": 2,
    "backward": True,
    "shapes": [{"TOKENS": 41, "WIDTH": 333}],
    "hidden": [{"TOKENS": 23, "WIDTH": 771}],
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        scale = torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + 1e-6)
        return x * scale * self.weight


def get_inputs():
    return [torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
