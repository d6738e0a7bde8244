"""Matrices of a batch, transposed and scaled."""

import torch
from torch import nn

BATCH, ROWS, COLS = 4, 768, 512

TASK = {
    "title": "Transposition, from a kernel that strides through memory",
    "category": "resize and layout",
    "level": 1,
    "shapes": [{"BATCH": 3, "ROWS": 131, "COLS": 77}],
    "hidden": [{"BATCH": 2, "ROWS": 45, "COLS": 203}],
    "start": "start/transpose_row_by_row.py",
}


class Model(nn.Module):
    def forward(self, x, scale):
        return (x * scale).transpose(1, 2).contiguous()


def get_inputs():
    return [torch.randn(BATCH, ROWS, COLS), torch.randn(COLS)]
