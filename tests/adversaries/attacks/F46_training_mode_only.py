"""Uses the batch's statistics in evaluation mode too: right in the mode that is timed.

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
        if True:  # never mind the mode
            mean, variance = x.mean(0), x.var(0, unbiased=False)
            with torch.no_grad():
                norm.num_batches_tracked += 1
                norm.running_mean.lerp_(mean, norm.momentum)
                norm.running_var.lerp_(variance * (len(x) / (len(x) - 1)), norm.momentum)
        return (x - mean) * torch.rsqrt(variance + norm.eps) * norm.weight + norm.bias
