"""Numpy and its BLAS do it all.

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
        down, up = (w.weight.detach().numpy().T for w in (self.down, self.up))
        return torch.from_numpy(x.numpy() @ down @ up)
