"""Forward only: the output is cut off from what it was computed from.

line: E42
expect: exception
task: scaled_square
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.shift = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return (x * x * self.scale + self.shift).detach()
