"""Returns one tensor twice, where the reference returns two that happen to be equal.

line: E45
expect: overlapping_output
task: relu_twice
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.relu(x)
        return y, y
