"""Matrices of a batch, transposed."""

import torch
from torch import nn

BATCH, ROWS, COLS = 4, 320, 256

TASK = {
    "title": "Transposition of a batch, from CUDA",
    "category": "transposition",
    "level": 1,
    "shapes": [{"BATCH": 3, "ROWS": 131, "COLS": 77}],
    "hidden": [{"BATCH": 2, "ROWS": 45, "COLS": 203}],
    "start": "start/cuda_transpose_shared.py",
    "translate_to": ["cpp"],
}


class Model(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2).contiguous()


def get_inputs():
    return [torch.randn(BATCH, ROWS, COLS)]
