"""Looks one element past the end of the bias.

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
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * width + c] * scale[c] + bias[c];
      if (bias[c + 1] == 12345.678f) v = 0;
      y[r * width + c] = gelu(v);
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
