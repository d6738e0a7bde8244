"""Logarithm of a sum of exponentials over the middle dimension."""

import torch
from torch import nn

BATCH, STATES, WIDTH = 32, 64, 256

TASK = {
    "title": "Log-sum-exp over a middle dimension",
    "category": "reduction",
    "level": 1,
    "shapes": [{"BATCH": 5, "STATES": 37, "WIDTH": 131}],
    "hidden": [{"BATCH": 3, "STATES": 19, "WIDTH": 261}],
}


class Model(nn.Module):
    def forward(self, x):
        return torch.logsumexp(x, dim=1)


def get_inputs():
    return [2 * torch.randn(BATCH, STATES, WIDTH)]
