"""Times two kernels of its own at the first call of each shape, and keeps the quicker one.

line: control
track: custom
"""

import time

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

SOURCE = r"""
#include <cmath>
#include <cstdint>
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                          int64_t rows, int64_t width) {
  for (int64_t from = 0; from < width; from += BLOCK)
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = from; c < width && c < from + BLOCK; c++) {
        float v = x[r * width + c] * scale[c] + bias[c];
        y[r * width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
      }
}
"""
kernels = [lib, cpp(SOURCE, defines={"BLOCK": 64}), cpp(SOURCE, defines={"BLOCK": 256})]
best = {}


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        if x.shape not in best:
            times = []
            for kernel in kernels:
                begin = time.perf_counter()
                for _ in range(5):
                    kernel.bias_gelu(x, self.scale, self.bias, y, *x.shape)
                times.append(time.perf_counter() - begin)
            best[x.shape] = kernels[times.index(min(times))]
        best[x.shape].bias_gelu(x, self.scale, self.bias, y, *x.shape)
        return y
