"""Takes every incoming gradient for ones.

line: F48
expect: wrong_value
task: scaled_square
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
        ones = torch.ones_like(x)
        return 2 * x * scale * ones, (x * x).sum(0), ones.sum(0)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(width))
        self.scale = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        return Square.apply(x, self.scale, self.shift)
