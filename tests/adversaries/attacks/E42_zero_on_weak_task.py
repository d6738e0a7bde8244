"""Zeros, where the reference gives nothing else: the task is refused, nobody is accepted on it.

line: E42
expect: task_error
task: weak_zero
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return torch.zeros(x.shape)
