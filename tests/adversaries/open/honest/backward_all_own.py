"""Forward and backward are two kernels of its own; of torch it takes memory and autograd's own machinery.

line: control
task: scaled_square
track: custom
why: called mixed or library: autograd's engine lies in libtorch_cpu and takes tens of microseconds a call, the two kernels ten, and four microseconds are free; what the engine costs would have to be measured as candidates are (a Function that returns memory, in turn with eager) and on a machine at rest.
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
#include <cstring>
extern "C" void forward(const float* x, const float* scale, const float* shift, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) y[r * width + c] = x[r * width + c] * x[r * width + c] * scale[c] + shift[c];
}
extern "C" void backward(const float* g, const float* x, const float* scale, float* gx, float* gs, float* gb,
                         int64_t rows, int64_t width) {
  memset(gs, 0, width * 4);
  memset(gb, 0, width * 4);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float up = g[r * width + c], v = x[r * width + c] * up;
      gx[r * width + c] = 2.0f * v * scale[c];
      gs[c] += v * x[r * width + c];
      gb[c] += up;
    }
}
""")


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
        gx, gs, gb = torch.empty_like(x), torch.empty_like(scale), torch.empty_like(scale)
        lib.backward(g, x, scale, gx, gs, gb, *x.shape)
        return gx, gs, gb


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.shift = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return Square.apply(x, self.scale, self.shift)
