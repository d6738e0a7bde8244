"""GeGLU with a bias: half of the features through GELU, times the other half."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, WIDTH = 768, 2048

TASK = {
    "title": "GeGLU with bias",
    "category": "activation",
    "level": 2,
    "shapes": [{"TOKENS": 45, "WIDTH": 509}],
    "hidden": [{"TOKENS": 11, "WIDTH": 1235}],
    "operations": "8 * TOKENS * WIDTH",
    "bytes_moved": "4 * (3 * TOKENS * WIDTH + 2 * WIDTH)",
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bias = nn.Parameter(0.1 * torch.randn(2 * width))

    def forward(self, x):
        value, gate = (x + self.bias).chunk(2, dim=-1)
        return value * F.gelu(gate)


def get_inputs():
    return [torch.randn(TOKENS, 2 * WIDTH)]


def get_init_inputs():
    return [WIDTH]
