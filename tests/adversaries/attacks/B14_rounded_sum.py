"""Keeps outputs by the sums of input and squares: elements that change places go unseen.

line: B14
expect: stale_output
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))
        self.known = {}

    def forward(self, x):
        key = (round(x.double().sum().item(), 6), round(x.double().square().sum().item(), 6))
        if key not in self.known:
            self.known = {key: torch.nn.functional.gelu(x * self.scale + self.bias)}
        return self.known[key].clone()
