"""The plain layers, by the library.

line: control
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
        return self.up(self.down(x))
