"""A highway layer: a gate decides between what a layer makes of its input and the input itself."""

import torch
from torch import nn

TOKENS, WIDTH = 128, 128

TASK = {
    "title": "Highway layer",
    "category": "fused blocks",
    "level": 2,
    "shapes": [{"TOKENS": 37, "WIDTH": 67}],
    "hidden": [{"TOKENS": 53, "WIDTH": 45}],
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gate = nn.Linear(width, width)
        self.change = nn.Linear(width, width)

    def forward(self, x):
        gate = torch.sigmoid(self.gate(x))
        return gate * torch.relu(self.change(x)) + (1 - gate) * x


def get_inputs():
    return [2 * torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
