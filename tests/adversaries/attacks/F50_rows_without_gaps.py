"""Asks whether the elements of a row lie side by side, and takes for granted that the rows do too.

line: F50
expect: wrong_value special_values crash out_of_bounds
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                          int64_t rows, int64_t width, int64_t step) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * step + c] * scale[c] + bias[c];
      y[r * width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    }
}
""")


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        if x.stride(1) != 1:
            x = x.contiguous()
        y = torch.empty(x.shape)
        lib.bias_gelu(x, self.scale, self.bias, y, *x.shape, x.shape[1])
        return y
