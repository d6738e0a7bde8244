"""Keeps the address of a temporary tensor that is gone when it is read.

line: C20
expect: sanitizer wrong_value special_values stale_output
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
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows * width; i++) y[i] = gelu(x[i] * scale[i % width] + bias[i % width]);
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
        scale = (self.scale * 1.0).data_ptr()
        lib.run(x, scale, self.bias, y, *x.shape)
        return y
