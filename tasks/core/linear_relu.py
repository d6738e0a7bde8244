"""A linear layer with ReLU."""

import torch
from torch import nn

ROWS, INPUTS, OUTPUTS = 256, 512, 1024

TASK = {
    "title": "Linear and ReLU",
    "category": "matmul",
    "level": 2,
    "shapes": [{"ROWS": 37, "INPUTS": 131, "OUTPUTS": 259}],
    "hidden": [{"ROWS": 19, "INPUTS": 301, "OUTPUTS": 75}],
    "operations": "2 * ROWS * INPUTS * OUTPUTS + 2 * ROWS * OUTPUTS",
    "bytes_moved": "4 * (ROWS * INPUTS + INPUTS * OUTPUTS + OUTPUTS + ROWS * OUTPUTS)",
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        return torch.relu(self.linear(x))


def get_inputs():
    return [torch.randn(ROWS, INPUTS)]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
