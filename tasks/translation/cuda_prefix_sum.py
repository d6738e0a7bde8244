"""Running sums along each row."""

import torch
from torch import nn

ROWS, WIDTH = 256, 1000

TASK = {
    "title": "Running sums of rows, from CUDA",
    "category": "scan",
    "level": 2,
    "shapes": [{"ROWS": 61, "WIDTH": 97}],
    "hidden": [{"ROWS": 37, "WIDTH": 301}],
    "start": "start/cuda_prefix_sum.py",
    "translate_to": ["cpp"],
}


class Model(nn.Module):
    def forward(self, x):
        return torch.cumsum(x, dim=-1)


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]
