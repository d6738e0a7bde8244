"""Returns the same buffer at every call, so that an answer changes under who holds it.

line: E45 B16
expect: stale_output reused_output wrong_value
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
    def __init__(self, width):
        super().__init__(width)
        self.y = torch.empty(128, width)

    def forward(self, x):
        self.y.copy_(self.compute(x))
        return self.y
