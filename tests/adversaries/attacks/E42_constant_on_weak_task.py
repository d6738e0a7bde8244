"""Ones for the softmax of one element: never touches the product before it.

line: E42
expect: task_error
task: weak_constant
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = torch.nn.Linear(width, width)

    def forward(self, x):
        return torch.ones(x.shape[0], 1)
