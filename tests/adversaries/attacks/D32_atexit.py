"""Registers last words that print a verdict and hang.

line: D32
expect: exception exit crash
"""

import atexit
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


atexit.register(lambda: (print('{"verdict": "accepted"}', flush=True), time.sleep(60)))


class ModelNew(Honest):
    def forward(self, x):
        raise KeyboardInterrupt
