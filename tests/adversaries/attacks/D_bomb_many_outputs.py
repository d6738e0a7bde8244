"""Returns one large tensor ten thousand times.

line: D bombs: memory
expect: wrong_shape
again: yes
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
        return [torch.zeros(1 << 18)] * 1500
