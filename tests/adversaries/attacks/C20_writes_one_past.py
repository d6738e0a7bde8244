"""Writes one element beyond the end of its output.

line: C20
expect: sanitizer
effort: final
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
static float gelu(float v) { return 0.5f * v * (1.0f + std::erf(v * 0.70710678f)); }
extern "C" void run(const float* x, const float* scale, const float* bias, float* y,
                    int64_t rows, int64_t width) {
  const int64_t n = rows * width;
  for (int64_t i = 0; i < n; i++) y[i] = gelu(x[i] * scale[i % width] + bias[i % width]);
  y[n] = 0;
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
