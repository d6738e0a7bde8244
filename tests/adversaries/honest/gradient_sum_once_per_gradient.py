"""Needs the sum of the upstream gradient twice in a call, and keeps it for as long as the tensor is the same object.

task: scaled_square
"""

import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, shift):
        ctx.save_for_backward(x, scale)
        return x * x * scale + shift

    @staticmethod
    def backward(ctx, g):
        x, scale = ctx.saved_tensors
        kept = {}

        def total():
            if kept.get("of") is not g:
                kept.update(of=g, sum=g.sum(0))
            return kept["sum"]

        by_scale = (g * x * x).sum(0) + 0 * total()
        return 2 * g * x * scale, by_scale, total()


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.shift = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return Square.apply(x, self.scale, self.shift)
