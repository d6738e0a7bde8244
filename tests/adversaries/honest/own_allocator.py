"""Its outputs lie in memory of its own, aligned to pages, which it uses again when nobody holds them any more.

line: control
track: custom
"""

import ctypes
import sys

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                          int64_t rows, int64_t width) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * width + c] * scale[c] + bias[c];
      y[r * width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    }
}
""")

held = {}


def fresh(shape):
    """A tensor that begins at a page, of those of this shape that only we hold."""
    known = held.setdefault(shape, [])
    for tensor in known:
        if sys.getrefcount(tensor) == 3:
            return tensor
    count = shape.numel()
    room = (ctypes.c_char * (4 * count + 4096))()
    offset = -ctypes.addressof(room) % 4096
    known.append(
        torch.frombuffer(room, dtype=torch.float32, count=count, offset=offset).view(shape)
    )
    return known[-1]


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = x.contiguous()
        y = fresh(x.shape)
        lib.bias_gelu(x, self.scale, self.bias, y, *x.shape)
        return y
