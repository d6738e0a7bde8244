"""Tries two block sizes at its first calls for a shape, and keeps the quicker one.

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


import time

other = cpp(r"""
#include <cmath>
#include <cstdint>
extern "C" void run(const float* x, const float* scale, const float* bias, float* y,
                    int64_t rows, int64_t width, int64_t block) {
  for (int64_t begin = 0; begin < width; begin += block)
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = begin; c < begin + block && c < width; c++) {
        float v = x[r * width + c] * scale[c] + bias[c];
        y[r * width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
      }
}
""")
best = {}


class ModelNew(Honest):
    def compute(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        given = (x, self.scale, self.bias, y, *x.shape)
        if x.shape not in best:
            times = {}
            for block in (64, 512):
                begin = time.perf_counter()
                other.run(*given, block)
                times[block] = time.perf_counter() - begin
            best[x.shape] = min(times, key=times.get)
        other.run(*given, best[x.shape])
        return y
