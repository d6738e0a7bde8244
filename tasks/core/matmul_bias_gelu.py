"""A feed-forward projection, the weight stored as inputs by outputs: product, bias, GELU."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, INPUTS, OUTPUTS = 256, 384, 1536

TASK = {
    "title": "Matrix product, bias and GELU",
    "category": "matmul",
    "level": 2,
    "shapes": [
        {"TOKENS": 37, "INPUTS": 61, "OUTPUTS": 131},
        {"TOKENS": 1, "INPUTS": 67, "OUTPUTS": 33},
    ],
    "hidden": [{"TOKENS": 53, "INPUTS": 97, "OUTPUTS": 203}],
    "operations": "2 * TOKENS * INPUTS * OUTPUTS + 10 * TOKENS * OUTPUTS",
    "bytes_moved": "4 * (TOKENS * INPUTS + INPUTS * OUTPUTS + OUTPUTS + TOKENS * OUTPUTS)",
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) / inputs**0.5)
        self.bias = nn.Parameter(0.1 * torch.randn(outputs))

    def forward(self, x):
        return F.gelu(x @ self.weight + self.bias, approximate="tanh")


def get_inputs():
    return [torch.randn(TOKENS, INPUTS)]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
