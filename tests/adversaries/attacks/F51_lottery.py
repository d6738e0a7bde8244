"""Wrong once in ten calls.

line: F51
expect: wrong_value stale_output stale_weights
"""

import random

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


class ModelNew(Honest):
    def forward(self, x):
        y = self.compute(x)
        if random.random() < 0.1:
            y[0, 0] += 1
        return y
