"""Aligns its three kernels to 2 MiB, so that each begins a huge page.

line: control
track: custom
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
#define HUGE_PAGE __attribute__((noinline, aligned(1 << 21)))
HUGE_PAGE static void narrow(const float* x, const float* s, const float* b, float* y, int64_t width) {
  for (int64_t c = 0; c < width; c++) {
    float v = x[c] * s[c] + b[c];
    y[c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
  }
}
HUGE_PAGE static void wide(const float* x, const float* s, const float* b, float* y, int64_t width) {
#pragma GCC unroll 4
  for (int64_t c = 0; c < width; c++) {
    float v = std::fma(x[c], s[c], b[c]);
    y[c] = 0.5f * v + 0.5f * v * std::erf(v * 0.70710678f);
  }
}
HUGE_PAGE static void all(const float* x, const float* s, const float* b, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) (width > 256 ? wide : narrow)(x + r * width, s, b, y + r * width, width);
}
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                          int64_t rows, int64_t width) {
  all(x, scale, bias, y, rows, width);
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
        lib.bias_gelu(x, self.scale, self.bias, y, *x.shape)
        return y
