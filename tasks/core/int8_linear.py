"""A linear layer whose weights are bytes with a scale for each output."""

import torch
from torch import nn

ROWS, INPUTS, OUTPUTS = 64, 384, 512

TASK = {
    "title": "Linear with int8 weights",
    "category": "matmul",
    "level": 2,
    "shapes": [{"ROWS": 13, "INPUTS": 131, "OUTPUTS": 77}],
    "hidden": [{"ROWS": 29, "INPUTS": 67, "OUTPUTS": 203}],
}


class Model(nn.Module):
    def forward(self, x, weight, scale):
        return (x @ weight.to(x.dtype).t()) * scale


def get_inputs():
    weight = torch.randint(-127, 128, (OUTPUTS, INPUTS), dtype=torch.int8)
    return [torch.randn(ROWS, INPUTS), weight, 0.01 * torch.rand(OUTPUTS) + 0.001]
