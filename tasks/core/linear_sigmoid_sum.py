"""A linear layer, sigmoid, and the sum over the outputs."""

import torch
from torch import nn

ROWS, INPUTS, OUTPUTS = 512, 256, 1024

TASK = {
    "title": "Linear, sigmoid and sum",
    "category": "matmul",
    "level": 2,
    "shapes": [{"ROWS": 45, "INPUTS": 67, "OUTPUTS": 261}],
    "hidden": [{"ROWS": 23, "INPUTS": 129, "OUTPUTS": 401}],
    "operations": "2 * ROWS * INPUTS * OUTPUTS + 5 * ROWS * OUTPUTS",
    "bytes_moved": "4 * (ROWS * INPUTS + INPUTS * OUTPUTS + OUTPUTS + ROWS)",
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        return torch.sigmoid(self.linear(x)).sum(dim=1, keepdim=True)


def get_inputs():
    return [2 * torch.randn(ROWS, INPUTS)]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
