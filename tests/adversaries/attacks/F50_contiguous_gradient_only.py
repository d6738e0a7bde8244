"""Reads the incoming gradient as if it were contiguous: an expanded one is a single number.

line: F50
expect: wrong_value special_values crash
task: scaled_square
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void by_input(const float* grad, const float* x, const float* scale, float* out,
                         int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++)
      out[r * width + c] = 2 * grad[r * width + c] * x[r * width + c] * scale[c];
}
""")


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, shift):
        ctx.save_for_backward(x, scale)
        return x * x * scale + shift

    @staticmethod
    def backward(ctx, grad):
        x, scale = ctx.saved_tensors
        x = x.contiguous()
        out = torch.empty_like(x)
        lib.by_input(grad, x, scale, out, *x.shape)
        return out, (grad * x * x).sum(0), grad.sum(0)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.shift = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return Square.apply(x, self.scale, self.shift)
