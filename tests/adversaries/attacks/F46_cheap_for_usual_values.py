"""Exact for unusual inputs; for what looks like the timed ones a polynomial of low degree.

line: F46 F47
expect: wrong_value precision stale_output
"""

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
        v = x * self.scale + self.bias
        if bool(v.abs().max() > 12) or not bool(v.std() > 0.5):
            return torch.nn.functional.gelu(v)
        return 0.5 * v * (1 + torch.tanh(0.7978845608 * (v + 0.044715 * v * v * v)))
