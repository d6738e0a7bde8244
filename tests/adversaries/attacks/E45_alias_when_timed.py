"""Returns the input itself, but only in timed calls.

line: E45
expect: output_is_input layout_changed
task: relu_and_copy
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
        return torch.relu(x), x if pending() else x.clone()
