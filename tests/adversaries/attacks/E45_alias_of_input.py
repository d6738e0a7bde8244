"""Returns the input itself where the reference returns a copy.

line: E45
expect: output_is_input
task: relu_and_copy
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x), x
