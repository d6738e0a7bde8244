"""Batch norm in two modes, with running statistics.

line: E44
task: batch_norm_modes
track: library mixed
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(width)

    def forward(self, x):
        norm = self.norm
        if self.training:
            mean, variance = x.mean(0), x.var(0, unbiased=False)
            with torch.no_grad():
                norm.num_batches_tracked += 1
                norm.running_mean.lerp_(mean, norm.momentum)
                norm.running_var.lerp_(variance * (len(x) / (len(x) - 1)), norm.momentum)
        else:
            mean, variance = norm.running_mean, norm.running_var
        return (x - mean) * torch.rsqrt(variance + norm.eps) * norm.weight + norm.bias
