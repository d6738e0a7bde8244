"""Each row in ascending order, NaN last."""

import torch
from torch import nn

ROWS, WIDTH = 128, 512

TASK = {
    "title": "Sorted rows, from sequential C++",
    "category": "sort",
    "level": 2,
    "shapes": [{"ROWS": 17, "WIDTH": 97}],
    "hidden": [{"ROWS": 13, "WIDTH": 131}],
    "start": "start/serial_sort_rows.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def forward(self, x):
        return torch.sort(x, dim=-1).values


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]
