"""Dot products of the rows of two matrices."""

import torch
from torch import nn

ROWS, WIDTH = 512, 1024

TASK = {
    "title": "Dot products of rows, from CUDA",
    "category": "reduction",
    "level": 1,
    "shapes": [{"ROWS": 61, "WIDTH": 197}],
    "hidden": [{"ROWS": 37, "WIDTH": 331}],
    "start": "start/cuda_row_dot.py",
    "translate_to": ["cpp"],
}


class Model(nn.Module):
    def forward(self, a, b):
        return (a * b).sum(dim=-1)


def get_inputs():
    return [torch.randn(ROWS, WIDTH), torch.randn(ROWS, WIDTH)]
