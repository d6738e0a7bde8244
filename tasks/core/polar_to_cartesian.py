"""Lengths and angles to the two coordinates."""

import torch
from torch import nn

ROWS, COLS = 512, 512

TASK = {
    "title": "Polar to Cartesian coordinates",
    "category": "elementwise and broadcast",
    "level": 1,
    "shapes": [{"ROWS": 61, "COLS": 131}],
    "hidden": [{"ROWS": 29, "COLS": 259}],
}


class Model(nn.Module):
    def forward(self, length, angle):
        return length * torch.cos(angle), length * torch.sin(angle)


def get_inputs():
    return [torch.rand(ROWS, COLS) + 0.1, 3 * torch.randn(ROWS, COLS)]
