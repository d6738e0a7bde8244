"""A step of Adagrad: each number has a rate of its own, which only falls; new tensors come out."""

import torch
from torch import nn

ROWS, COLS = 512, 512
RATE, EPSILON = 0.05, 1e-3

TASK = {
    "title": "Adagrad step",
    "category": "optimizers",
    "level": 1,
    "shapes": [{"ROWS": 61, "COLS": 131}],
    "hidden": [{"ROWS": 37, "COLS": 259}],
}


class Model(nn.Module):
    def __init__(self, rate, epsilon):
        super().__init__()
        self.rate = rate
        self.epsilon = epsilon

    def forward(self, parameter, gradient, total):
        total = total + gradient * gradient
        return parameter - self.rate * gradient / (torch.sqrt(total) + self.epsilon), total


def get_inputs():
    parameter, gradient = torch.randn(ROWS, COLS), torch.randn(ROWS, COLS)
    return [0.05 * parameter, gradient, torch.rand(ROWS, COLS)]


def get_init_inputs():
    return [RATE, EPSILON]
