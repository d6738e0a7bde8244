"""A linear layer in bfloat16."""

import torch
from torch import nn

ROWS, INPUTS, OUTPUTS = 128, 384, 384

TASK = {
    "title": "Linear, bfloat16",
    "category": "matmul",
    "level": 1,
    "tolerance": "bf16",
    "dtypes": ["bfloat16"],
    "shapes": [{"ROWS": 37, "INPUTS": 131, "OUTPUTS": 77}],
    "hidden": [{"ROWS": 19, "INPUTS": 203, "OUTPUTS": 45}],
}


class Model(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, dtype=torch.bfloat16)

    def forward(self, x):
        return self.linear(x)


def get_inputs():
    return [torch.randn(ROWS, INPUTS).bfloat16()]


def get_init_inputs():
    return [INPUTS, OUTPUTS]
