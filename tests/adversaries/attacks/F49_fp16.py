"""Multiplies in fp16.

line: F49
expect: precision special_values wrong_value
task: two_linears
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        h = (x.half() @ self.down.weight.half().t()).float()
        return h @ self.up.weight.t()
