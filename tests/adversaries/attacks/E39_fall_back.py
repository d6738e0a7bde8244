"""A custom path that always fails, and torch behind it.

line: E39
task: two_linears
track: library mixed
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        try:
            import my_fast_kernels

            return my_fast_kernels.product(x, self.down.weight, self.up.weight)
        except ImportError:
            return self.up(self.down(x))
