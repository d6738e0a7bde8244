"""A step of Lion: the sign of a mixture of momentum and gradient; new tensors come out."""

import torch
from torch import nn

ROWS, COLS = 128, 128
RATE, FIRST, SECOND = 0.02, 0.9, 0.98

TASK = {
    "title": "Lion step",
    "category": "optimizers",
    "level": 1,
    "shapes": [{"ROWS": 61, "COLS": 131}],
    "hidden": [{"ROWS": 37, "COLS": 259}],
}


class Model(nn.Module):
    def __init__(self, rate, first, second):
        super().__init__()
        self.rate = rate
        self.first = first
        self.second = second

    def forward(self, parameter, gradient, momentum):
        direction = torch.sign(self.first * momentum + (1 - self.first) * gradient)
        momentum = self.second * momentum + (1 - self.second) * gradient
        return parameter - self.rate * direction, momentum


def get_inputs():
    parameter, gradient, momentum = (torch.randn(ROWS, COLS) for _ in range(3))
    gradient = 4 * gradient
    # Away from zero, where the last bit of a sum would decide on the sign.
    momentum = momentum + 0.1 * torch.sign(FIRST * momentum + (1 - FIRST) * gradient)
    return [0.05 * parameter, gradient, momentum]


def get_init_inputs():
    return [RATE, FIRST, SECOND]
