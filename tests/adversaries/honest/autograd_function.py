"""A backward pass of its own, its parameters in another order than the reference's.

line: E44
task: scaled_square
track: library mixed
"""

import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, shift):
        ctx.save_for_backward(x, scale)
        return x * x * scale + shift

    @staticmethod
    def backward(ctx, grad):
        x, scale = ctx.saved_tensors
        return 2 * grad * x * scale, (grad * x * x).sum(0), grad.sum(0)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(width))
        self.scale = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        return Square.apply(x, self.scale, self.shift)
