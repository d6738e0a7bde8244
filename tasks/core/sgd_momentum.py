"""A step of stochastic gradient descent with Nesterov momentum; new tensors come out."""

import torch
from torch import nn

ROWS, COLS = 512, 512
RATE, MOMENTUM = 0.1, 0.9

TASK = {
    "title": "SGD step with Nesterov momentum",
    "category": "optimizers",
    "level": 1,
    "shapes": [{"ROWS": 61, "COLS": 131}],
    "hidden": [{"ROWS": 37, "COLS": 259}],
}


class Model(nn.Module):
    def __init__(self, rate, momentum):
        super().__init__()
        self.rate = rate
        self.momentum = momentum

    def forward(self, parameter, gradient, velocity):
        velocity = self.momentum * velocity + gradient
        parameter = parameter - self.rate * (gradient + self.momentum * velocity)
        return parameter, velocity


def get_inputs():
    return [0.2 * torch.randn(ROWS, COLS), torch.randn(ROWS, COLS), torch.randn(ROWS, COLS)]


def get_init_inputs():
    return [RATE, MOMENTUM]
