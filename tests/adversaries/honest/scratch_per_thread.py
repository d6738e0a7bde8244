"""Scratch for each thread, counted when the model is made.

line: control
track: custom
effort: final
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
#include <omp.h>
static float gelu(float v) { return 0.5f * v * (1.0f + std::erf(v * 0.70710678f)); }
extern "C" void run(const float* x, const float* scale, const float* bias, float* y,
                    float* scratch, int64_t rows, int64_t width) {
#pragma omp parallel
  {
    float* row = scratch + width * omp_get_thread_num();
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
      for (int64_t c = 0; c < width; c++) row[c] = x[r * width + c] * scale[c] + bias[c];
      for (int64_t c = 0; c < width; c++) y[r * width + c] = gelu(row[c]);
    }
  }
}
""")


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))
        self.scratch = torch.empty(torch.get_num_threads(), width)

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.run(x, self.scale, self.bias, y, self.scratch, *x.shape)
        return y
