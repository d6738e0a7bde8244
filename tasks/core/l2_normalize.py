"""Embeddings scaled to unit length, as before a nearest-neighbour search."""

import torch
from torch import nn
from torch.nn import functional as F

ROWS, WIDTH = 8192, 512

TASK = {
    "title": "L2 normalisation of rows",
    "category": "normalisation",
    "level": 1,
    "shapes": [{"ROWS": 119, "WIDTH": 333}],
    "hidden": [{"ROWS": 37, "WIDTH": 1025}],
    "operations": "3 * ROWS * WIDTH",
    "bytes_moved": "2 * 4 * ROWS * WIDTH",
}


class Model(nn.Module):
    def forward(self, x):
        return F.normalize(x, p=2.0, dim=-1)


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]
