"""Has torch.compile write its kernel, which takes longer than any call.

line: control
track: library
patient: yes
deadline: 240
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self._compiled = torch.compile(self.compute)

    def compute(self, x):
        return torch.nn.functional.gelu(x * self.scale + self.bias)

    def forward(self, x):
        return self._compiled(x)
