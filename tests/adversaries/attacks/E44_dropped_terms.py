"""Sums every eighth product only, scaled up.

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
        h = 8 * (x[:, ::8] @ self.down.weight[:, ::8].t())
        return h @ self.up.weight.t()
