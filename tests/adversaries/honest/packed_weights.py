"""Packs its weights once, and again when they are others or have changed in place.

line: B15
task: two_linears
track: library mixed
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)
        self.packed = {}

    def transposed(self, name, weight):
        state = (weight.data_ptr(), weight._version)
        known = self.packed.get(name)
        if known is None or known[0] != state:
            known = self.packed[name] = (state, weight.detach().t().contiguous())
        return known[1]

    def forward(self, x):
        down = self.transposed("down", self.down.weight)
        return x @ down @ self.transposed("up", self.up.weight)
