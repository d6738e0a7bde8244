"""Squared ReLU in bfloat16, as in language models that want sparse activations."""

import torch
from torch import nn

TOKENS, WIDTH = 512, 2048

TASK = {
    "title": "Squared ReLU, bfloat16",
    "category": "activation",
    "level": 1,
    "tolerance": "bf16",
    "dtypes": ["bfloat16"],
    "shapes": [{"TOKENS": 33, "WIDTH": 1001}],
    "hidden": [{"TOKENS": 71, "WIDTH": 259}],
}


class Model(nn.Module):
    def forward(self, x, bias):
        positive = torch.relu(x + bias)
        return positive * positive


def get_inputs():
    return [torch.randn(TOKENS, WIDTH).bfloat16(), torch.randn(WIDTH).bfloat16()]
