"""Torch does it all, under another name.

line: E37
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
        return torch.ops.aten.mm(torch.ops.aten.mm(x, self.down.weight.t()), self.up.weight.t())
