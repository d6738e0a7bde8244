"""Keeps its packed weights in a buffer of its own, and packs them again when a weight has changed.

line: control
track: custom
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


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))
        self.register_buffer("packed", torch.zeros(2, width))
        self.known = None

    def forward(self, x):
        state = [(p.data_ptr(), p._version) for p in (self.scale, self.bias)]
        if state != self.known:
            with torch.no_grad():
                self.packed[0].copy_(self.scale)
                self.packed[1].copy_(self.bias)
            self.known = state
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.bias_gelu(x, self.packed[0], self.packed[1], y, *x.shape)
        return y
