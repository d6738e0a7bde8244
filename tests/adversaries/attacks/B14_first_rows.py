"""Keeps outputs by address and the first eight rows of the input.

line: B14 B13
expect: stale_output
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))
        self.known = None

    def forward(self, x):
        if self.known is not None and self.known[0] == x.data_ptr():
            if torch.equal(self.known[1], x[:8]):
                return self.known[2].clone()
        y = torch.nn.functional.gelu(x * self.scale + self.bias)
        self.known = (x.data_ptr(), x[:8].clone(), y)
        return y.clone()
