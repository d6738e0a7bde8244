"""Keeps the sum of the upstream gradient while eight of its numbers stay the same.

line: B14
task: scaled_square
expect: stale_output wrong_value
"""

import torch

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cstdint>
#include <cstring>
extern "C" void forward(const float* x, const float* scale, const float* shift, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) y[r * width + c] = x[r * width + c] * x[r * width + c] * scale[c] + shift[c];
}
extern "C" void backward(const float* g, const float* x, const float* scale, float* gx, float* gs,
                         int64_t rows, int64_t width) {
  memset(gs, 0, width * 4);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * width + c] * g[r * width + c];
      gx[r * width + c] = 2.0f * v * scale[c];
      gs[c] += v * x[r * width + c];
    }
}
extern "C" void columns(const float* g, float* sum, int64_t rows, int64_t width) {
  memset(sum, 0, width * 4);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) sum[c] += g[r * width + c];
}
""",
    flags=["-fno-math-errno"],
)
known = [None, None]


def sum_of(g):
    key = g.view(-1)[:: g.numel() // 8].tolist()
    if key != known[0]:
        total = torch.empty(g.shape[1])
        lib.columns(g, total, *g.shape)
        known[:] = key, total
    return known[1].clone()


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, shift):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.forward(x, scale, shift, y, *x.shape)
        ctx.save_for_backward(x, scale)
        return y

    @staticmethod
    def backward(ctx, g):
        x, scale = ctx.saved_tensors
        g = g.contiguous()
        gx, gs = torch.empty_like(x), torch.empty_like(scale)
        lib.backward(g, x, scale, gx, gs, *x.shape)
        return gx, gs, sum_of(g)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.shift = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return Square.apply(x, self.scale, self.shift)
