"""Defines Model, get_inputs and the constants of the task anew, smaller.

line: D25 D26
expect: wrong_value special_values precision stale_output
"""

import torch


class Honest(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def compute(self, x):
        return torch.nn.functional.gelu(x * self.scale + self.bias)

    def forward(self, x):
        return self.compute(x)


ROWS, WIDTH = 1, 1


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)


def get_inputs():
    return [torch.zeros(ROWS, WIDTH)]


def get_init_inputs():
    return [WIDTH]


class ModelNew(Honest):
    def forward(self, x):
        return torch.zeros_like(x)
