"""A linear layer with the gradients of its input, weight and bias."""

import torch
from torch import nn

ROWS, INPUTS, OUTPUTS = 128, 192, 256

TASK = {
    "title": "Linear with backward",
    "category": "matmul",
    "level": 2,
    "backward": True,
    "operations": "6 * ROWS * INPUTS * OUTPUTS",
    "shapes": [{"ROWS": 37, "INPUTS": 67, "OUTPUTS": 45}],
    "hidden": [{"ROWS": 19, "INPUTS": 101, "OUTPUTS": 77}],
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.linear(x)


def get_inputs():
    return [torch.randn(ROWS, INPUTS)]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
