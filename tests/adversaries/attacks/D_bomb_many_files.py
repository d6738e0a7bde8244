"""Fills the disk with small files that have been deleted but are held open, and with large ones.

line: D bombs: disk
expect: exception crash resources timeout
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


block = bytes(8 << 20)
held = []
for n in range(200):
    stream = open(f"bomb{n}", "wb")
    stream.write(block)
    stream.flush()
    held.append(stream)
    os.unlink(f"bomb{n}")


class ModelNew(Honest):
    pass
