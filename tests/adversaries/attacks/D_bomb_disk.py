"""Fills the disk with files, each within the limit of one file.

line: D bombs: disk
expect: exception crash
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


def fill():
    for n in range(8):
        with open(f"bomb{n}", "wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, 200 << 20)


fill()


class ModelNew(Honest):
    pass
