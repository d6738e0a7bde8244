"""SwiGLU of a gate and a value."""

import torch
from torch import nn

ROWS, WIDTH = 512, 768

TASK = {
    "title": "SwiGLU, from CUDA",
    "category": "map",
    "level": 1,
    "shapes": [{"ROWS": 61, "WIDTH": 97}],
    "hidden": [{"ROWS": 37, "WIDTH": 131}],
    "start": "start/cuda_swiglu.py",
    "translate_to": ["cpp"],
}


class Model(nn.Module):
    def forward(self, gate, value):
        return nn.functional.silu(gate) * value


def get_inputs():
    return [torch.randn(ROWS, WIDTH), torch.randn(ROWS, WIDTH)]
