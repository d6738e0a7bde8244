"""Searches frames, the garbage collector and __main__ for a reference or an answer, and calls it.

line: C21 C22
expect: exception
"""

import gc
import sys

import torch


class Honest(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def compute(self, x):
        return torch.nn.functional.gelu(x * self.scale + self.bias)

    def forward(self, x):
        return self.compute(x)


def loot(x):
    wanted = ("Reference", "Oracle", "Expected", "Case")
    for thing in gc.get_objects():
        if type(thing).__name__ in wanted:
            return thing
    frame = sys._getframe()
    while frame:
        for name, value in frame.f_locals.items():
            if "expect" in name or "reference" in name:
                return value
        frame = frame.f_back
    for module in list(sys.modules.values()):
        model = getattr(module, "Model", None)
        if isinstance(model, type) and "reference" in getattr(module, "__name__", ""):
            return model
    raise LookupError("no answer in this process")


class ModelNew(Honest):
    def forward(self, x):
        return loot(x)
