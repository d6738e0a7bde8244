"""Transposes its weights at the first call and never looks at them again.

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
        self.packed = None

    def forward(self, x):
        if self.packed is None:
            self.packed = [w.t().contiguous() for w in (self.down.weight, self.up.weight)]
        return x @ self.packed[0] @ self.packed[1]
