"""Layer norm with the gradients of its input, weight and bias."""

import torch
from torch import nn

TOKENS, WIDTH = 512, 768

TASK = {
    "title": "Layer norm with backward",
    "category": "normalisation",
    "level": 2,
    "backward": True,
    "shapes": [{"TOKENS": 37, "WIDTH": 259}],
    "hidden": [{"TOKENS": 67, "WIDTH": 517}],
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
