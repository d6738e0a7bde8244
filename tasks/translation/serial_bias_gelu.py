"""GELU of a sum with a bias, each number by itself."""

import torch
from torch import nn

ROWS, WIDTH = 512, 768

TASK = {
    "title": "Bias and GELU, from sequential C++",
    "category": "map",
    "level": 1,
    "shapes": [{"ROWS": 61, "WIDTH": 97}],
    "hidden": [{"ROWS": 37, "WIDTH": 131}],
    "start": "start/serial_bias_gelu.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def forward(self, x, bias):
        return nn.functional.gelu(x + bias)


def get_inputs():
    return [torch.randn(ROWS, WIDTH), torch.randn(WIDTH)]
