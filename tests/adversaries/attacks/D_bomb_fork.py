"""Processes that beget processes, each in a session of its own.

line: D bombs: fork
expect: left_process exception timeout crash resources
again: yes
"""

import os
import time

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


def breed(until):
    while time.monotonic() < until:
        try:
            if os.fork() == 0:
                os.setsid()
        except OSError:
            time.sleep(0.01)
    os._exit(0)


if os.fork() == 0:
    breed(time.monotonic() + 2.5)
time.sleep(0.3)


class ModelNew(Honest):
    pass
