"""The same for a task so large that a leg has one call.

line: E45 B16
expect: stale_output reused_output wrong_value
task: large
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.y = torch.empty(0)

    def forward(self, x):
        self.y.resize_(x.shape).copy_(torch.tanh(x) * x)
        return self.y
