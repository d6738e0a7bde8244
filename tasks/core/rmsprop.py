"""A step of RMSprop with momentum; new tensors come out."""

import torch
from torch import nn

ROWS, COLS = 512, 512
RATE, SMOOTHING, MOMENTUM, EPSILON = 0.02, 0.95, 0.9, 1e-3

TASK = {
    "title": "RMSprop step",
    "category": "optimizers",
    "level": 2,
    "shapes": [{"ROWS": 61, "COLS": 131}],
    "hidden": [{"ROWS": 37, "COLS": 259}],
}


class Model(nn.Module):
    def __init__(self, rate, smoothing, momentum, epsilon):
        super().__init__()
        self.rate = rate
        self.smoothing = smoothing
        self.momentum = momentum
        self.epsilon = epsilon

    def forward(self, parameter, gradient, square, velocity):
        square = self.smoothing * square + (1 - self.smoothing) * gradient * gradient
        velocity = self.momentum * velocity + gradient / (torch.sqrt(square) + self.epsilon)
        return parameter - self.rate * velocity, square, velocity


def get_inputs():
    parameter, gradient, velocity = (torch.randn(ROWS, COLS) for _ in range(3))
    return [0.05 * parameter, gradient, torch.rand(ROWS, COLS), velocity]


def get_init_inputs():
    return [RATE, SMOOTHING, MOMENTUM, EPSILON]
