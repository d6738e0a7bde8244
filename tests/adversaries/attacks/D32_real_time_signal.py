"""Dies of a signal that has no name.

line: D32
expect: crash
again: yes
"""

import os

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
        os.kill(os.getpid(), 40)
        return self.compute(x)
