"""Hands its kernel one row after the other: all arithmetic is its own, the slicing torch's.

line: control
track: custom mixed
why: called library or mixed: 256 views a call are a hundred microseconds in libtorch_cpu, of which four are free, beside a kernel that takes less. (mixed would be tolerable; library is not.)
"""

import torch

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cmath>
#include <cstdint>
extern "C" void row(const float* x, const float* scale, const float* bias, float* y, int64_t width) {
  for (int64_t c = 0; c < width; c++) {
    float v = x[c] * scale[c] + bias[c];
    y[c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
  }
}
""",
    flags=["-ffast-math"],
)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        for r in range(x.shape[0]):
            lib.row(x[r], self.scale, self.bias, y[r], x.shape[1])
        return y
