"""Puts a pipe that nobody writes to in the place of its output.

line: D33
expect: exception
deadline: 8
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
        log = os.readlink("/proc/self/fd/1")
        os.unlink(log)
        os.mkfifo(log)
        os._exit(1)
