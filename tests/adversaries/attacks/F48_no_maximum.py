"""Softmax without the subtraction of the maximum: right for numbers of moderate size.

line: F48
expect: wrong_value special_values precision stale_output
task: softmax
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        e = x.exp()
        return e / e.sum(dim=1, keepdim=True)
