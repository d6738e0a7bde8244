"""Two outputs that are views of one buffer, in turns, and share no element.

line: E45
task: relu_twice
track: library mixed
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        both = torch.empty(*x.shape, 2)
        both.copy_(x.clamp(min=0).unsqueeze(-1))
        return both.unbind(-1)
