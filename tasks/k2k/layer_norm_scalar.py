"""Layer norm over the last dimension, with weight and bias."""

import torch
from torch import nn

ROWS, WIDTH = 1024, 768

TASK = {
    "title": "Layer norm, from a scalar kernel",
    "category": "normalisation",
    "level": 1,
    "shapes": [{"ROWS": 67, "WIDTH": 331}],
    "hidden": [{"ROWS": 131, "WIDTH": 97}],
    "start": "start/layer_norm_scalar.py",
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
