"""Returns a tensor of many gigabytes that has no memory behind it.

line: D bombs: memory
expect: wrong_shape
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
        return torch.empty(1 << 28)
