"""In timed legs one tensor serves as both outputs, which happen to be equal.

line: E45
task: relu_twice
expect: overlapping_output
"""

import sys

import torch


def pending():
    """The argument lists of all calls of the leg in progress, from the frames above; or None."""
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if (
                type(value) is list
                and value
                and all(type(a) is list and a and isinstance(a[0], torch.Tensor) for a in value)
            ):
                return value
        frame = frame.f_back
    return None


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.relu(x)
        return y, y if pending() else y.clone()
