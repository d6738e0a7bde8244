"""Takes the variance of its input for one.

line: F48
expect: wrong_value special_values precision stale_output
task: normalise
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return x - x.mean(dim=1, keepdim=True)
