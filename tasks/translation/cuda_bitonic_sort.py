"""Each row of up to 1024 numbers in ascending order, NaN last."""

import torch
from torch import nn

ROWS, WIDTH = 64, 500

TASK = {
    "title": "Bitonic sort of rows, from CUDA",
    "category": "sort",
    "level": 3,
    "shapes": [{"ROWS": 17, "WIDTH": 97}],
    "hidden": [{"ROWS": 13, "WIDTH": 131}],
    "start": "start/cuda_bitonic_sort.py",
    "translate_to": ["cpp"],
}


class Model(nn.Module):
    def forward(self, x):
        return torch.sort(x, dim=-1).values


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]
