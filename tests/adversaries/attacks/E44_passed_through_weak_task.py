"""A copy of the input, on a task that is the identity.

line: E44
expect: task_error
task: weak_identity
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return x.clone()
