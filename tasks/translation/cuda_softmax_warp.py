"""Softmax of each row, with a temperature for each."""

import torch
from torch import nn

ROWS, COLS = 512, 512

TASK = {
    "title": "Softmax with temperature, from CUDA",
    "category": "softmax",
    "level": 2,
    "shapes": [{"ROWS": 53, "COLS": 109}],
    "hidden": [{"ROWS": 29, "COLS": 317}],
    "start": "start/cuda_softmax_warp.py",
    "translate_to": ["cpp"],
}


class Model(nn.Module):
    def forward(self, x, temperature):
        return torch.softmax(x / temperature, dim=-1)


def get_inputs():
    return [torch.randn(ROWS, COLS), 0.5 + torch.rand(ROWS, 1)]
