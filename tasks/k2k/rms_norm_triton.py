"""RMS norm over the last dimension, with a weight."""

import torch
from torch import nn

ROWS, WIDTH = 1024, 1024

TASK = {
    "title": "RMS norm, from a Triton kernel",
    "category": "normalisation",
    "level": 1,
    "shapes": [{"ROWS": 67, "WIDTH": 331}],
    "hidden": [{"ROWS": 131, "WIDTH": 97}],
    "start": "start/rms_norm_triton.py",
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(dim=-1, keepdim=True) + 1e-6) * self.weight


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
