"""Spreads one number a row without a copy, as the reference does.

line: E45
task: spread_mean
track: library mixed
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return x.mean(dim=1, keepdim=True).expand(x.shape)
