"""Leaves out the whole product, whose share of the output no tolerance can see.

line: E44
expect: task_error
task: weak_small_term
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = torch.nn.Linear(width, width, bias=False)

    def forward(self, x):
        return x.clone()
