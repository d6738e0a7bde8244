"""Changes the input, works on it, and puts the old values back.

line: E45
expect: input_modified crash exception
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
        before = x.clone()
        x.mul_(self.scale).add_(self.bias)
        y = torch.nn.functional.gelu(x)
        x.copy_(before)
        return y
