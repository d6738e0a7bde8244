"""Gated linear unit, value and gate side by side, forward and backward."""

import torch
from torch import nn

TOKENS, WIDTH = 512, 1024

TASK = {
    "title": "GLU with backward",
    "category": "activation",
    "level": 1,
    "backward": True,
    "shapes": [{"TOKENS": 37, "WIDTH": 331}],
    "hidden": [{"TOKENS": 83, "WIDTH": 129}],
}


class Model(nn.Module):
    def forward(self, x):
        value, gate = x.chunk(2, dim=-1)
        return value * torch.sigmoid(gate)


def get_inputs():
    return [torch.randn(TOKENS, 2 * WIDTH)]
