"""Keeps the sorted order of an integer input by its identity.

line: B15
expect: wrong_value stale_output
task: gather
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.order = None

    def forward(self, x, index):
        if self.order is None:
            self.order = index.clone()
        return x.gather(1, self.order)
