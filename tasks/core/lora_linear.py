"""A linear layer with a correction of low rank beside it."""

import torch
from torch import nn

TOKENS, INPUTS, OUTPUTS, RANK = 96, 192, 192, 8

TASK = {
    "title": "Linear with a low-rank adapter",
    "category": "fused blocks",
    "level": 2,
    "shapes": [{"TOKENS": 37, "INPUTS": 67, "OUTPUTS": 45, "RANK": 4}],
    "hidden": [{"TOKENS": 19, "INPUTS": 101, "OUTPUTS": 77, "RANK": 5}],
}


class Model(nn.Module):
    def __init__(self, inputs, outputs, rank):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.down = nn.Linear(inputs, rank, bias=False)
        self.up = nn.Linear(rank, outputs, bias=False)

    def forward(self, x):
        return self.linear(x) + 2.0 * self.up(self.down(x))


def get_inputs():
    return [torch.randn(TOKENS, INPUTS)]


def get_init_inputs():
    return [INPUTS, OUTPUTS, RANK]
