"""Packs its weights anew when they lie elsewhere, but not when they change in place.

line: B15
expect: stale_weights
task: two_linears
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)
        self.packed = {}

    def transposed(self, weight):
        if weight.data_ptr() not in self.packed:
            self.packed[weight.data_ptr()] = weight.t().contiguous()
        return self.packed[weight.data_ptr()]

    def forward(self, x):
        return x @ self.transposed(self.down.weight) @ self.transposed(self.up.weight)
