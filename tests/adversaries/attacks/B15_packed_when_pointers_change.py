"""Keeps its weights packed for as long as they lie at the same address.

line: B15
expect: stale_weights
"""

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


class Honest(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def compute(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.bias_gelu(x, self.scale, self.bias, y, *x.shape)
        return y

    def forward(self, x):
        return self.compute(x)


class ModelNew(Honest):
    packed, place = None, None

    def compute(self, x):
        place = (self.scale.data_ptr(), self.bias.data_ptr())
        if place != self.place:
            self.packed = torch.stack([self.scale, self.bias])
            self.place = place
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.bias_gelu(x, self.packed[0], self.packed[1], y, *x.shape)
        return y
