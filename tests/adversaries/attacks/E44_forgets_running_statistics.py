"""Right outputs, but the running statistics stay as they were.

line: E44
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
        if self.training:
            mean, variance = x.mean(0), x.var(0, unbiased=False)
            with torch.no_grad():
                norm.num_batches_tracked += 1
        else:
            mean, variance = norm.running_mean, norm.running_var
        return (x - mean) * torch.rsqrt(variance + norm.eps) * norm.weight + norm.bias
