"""Largest magnitude of each block of 16 numbers: the scales of a quantisation by blocks."""

import torch
from torch import nn

ROWS, BLOCKS = 512, 96

TASK = {
    "title": "Largest magnitude of blocks",
    "category": "reduction",
    "level": 1,
    "shapes": [{"ROWS": 61, "BLOCKS": 21}],
    "hidden": [{"ROWS": 131, "BLOCKS": 5}],
}


class Model(nn.Module):
    def forward(self, x):
        return x.unflatten(-1, (-1, 16)).abs().amax(dim=-1)


def get_inputs():
    return [torch.randn(ROWS, BLOCKS * 16)]
