"""Right for every shape, by another formula where it has not been tuned.

line: F46
task: two_shapes
track: library mixed
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        if x.shape == (128, 256):
            return torch.tanh(x)
        return 2 * torch.sigmoid(2 * x) - 1
