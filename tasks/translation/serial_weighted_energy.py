"""Weighted sum of the squares of each row."""

import torch
from torch import nn

ROWS, WIDTH = 512, 2048

TASK = {
    "title": "Weighted energy of rows, from sequential C++",
    "category": "reduction",
    "level": 1,
    "shapes": [{"ROWS": 61, "WIDTH": 197}],
    "hidden": [{"ROWS": 37, "WIDTH": 331}],
    "start": "start/serial_weighted_energy.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def forward(self, x, weight):
        return (x * x * weight).sum(dim=-1)


def get_inputs():
    return [torch.randn(ROWS, WIDTH), torch.rand(WIDTH)]
