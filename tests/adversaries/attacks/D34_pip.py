"""Installs a package at run time.

line: D34
expect: exception timeout
"""

import subprocess
import sys

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


done = subprocess.run(
    [sys.executable, "-m", "pip", "install", "--quiet", "einops"], capture_output=True, timeout=3
)
if done.returncode:
    raise RuntimeError("pip failed")


class ModelNew(Honest):
    pass
