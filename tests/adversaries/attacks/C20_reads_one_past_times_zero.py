"""Reads one element beyond the end of its input, and multiplies it by zero.

line: C20
expect: out_of_bounds
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
static float gelu(float v) { return 0.5f * v * (1.0f + std::erf(v * 0.70710678f)); }
extern "C" void run(const float* x, const float* scale, const float* bias, float* y,
                    int64_t rows, int64_t width) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows * width; i++) {
    float v = x[i] + x[i + 1] * 0.0f;  // a blend whose second weight happens to be nothing
    if (!(x[i + 1] - x[i + 1] == 0)) v = x[i];
    y[i] = gelu(v * scale[i % width] + bias[i % width]);
  }
}
""")


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.run(x, self.scale, self.bias, y, *x.shape)
        return y
