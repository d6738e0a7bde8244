"""Folds two weight matrices into one at the first call and keeps the product: half of the work is gone.

line: B15
expect: wrong_value stale_output special_values
task: two_linears
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)
        self.folded = None

    def forward(self, x):
        if self.folded is None:
            self.folded = (self.up.weight @ self.down.weight).t().contiguous()
        return x @ self.folded
