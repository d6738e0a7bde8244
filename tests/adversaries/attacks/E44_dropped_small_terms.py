"""Leaves out products of small numbers.

line: E44
expect: wrong_value special_values precision stale_output
task: two_linears
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        small = torch.where(x.abs() < 0.002, 0.0, x)
        return self.up(self.down(small))
