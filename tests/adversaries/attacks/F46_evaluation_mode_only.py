"""Uses running statistics in training mode too.

line: F46
expect: wrong_value
task: batch_norm_modes
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(width)

    def forward(self, x):
        norm = self.norm
        return (x - norm.running_mean) * torch.rsqrt(
            norm.running_var + norm.eps
        ) * norm.weight + norm.bias
