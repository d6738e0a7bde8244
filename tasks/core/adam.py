"""A step of Adam, bias corrected, the tenth one; new tensors come out."""

import torch
from torch import nn

ROWS, COLS = 512, 512
RATE, FIRST, SECOND, EPSILON, STEP = 0.01, 0.9, 0.99, 1e-3, 10

TASK = {
    "title": "Adam step",
    "category": "optimizers",
    "level": 2,
    "shapes": [{"ROWS": 61, "COLS": 131}],
    "hidden": [{"ROWS": 37, "COLS": 259}],
}


class Model(nn.Module):
    def __init__(self, rate, first, second, epsilon, step):
        super().__init__()
        self.rate = rate / (1 - first**step)
        self.first = first
        self.second = second
        self.unbias = 1 / (1 - second**step)
        self.epsilon = epsilon

    def forward(self, parameter, gradient, mean, square):
        mean = self.first * mean + (1 - self.first) * gradient
        square = self.second * square + (1 - self.second) * gradient * gradient
        size = torch.sqrt(self.unbias * square) + self.epsilon
        return parameter - self.rate * mean / size, mean, square


def get_inputs():
    parameter, gradient, mean = (torch.randn(ROWS, COLS) for _ in range(3))
    return [0.02 * parameter, gradient, mean, torch.rand(ROWS, COLS)]


def get_init_inputs():
    return [RATE, FIRST, SECOND, EPSILON, STEP]
