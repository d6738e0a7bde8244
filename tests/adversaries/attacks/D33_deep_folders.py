"""Nests folders so deeply that removing them fails.

line: D33 D36
expect: exception
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


def dig():
    start = os.getcwd()
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(start)


class ModelNew(Honest):
    def forward(self, x):
        dig()
        raise RuntimeError("dug")
