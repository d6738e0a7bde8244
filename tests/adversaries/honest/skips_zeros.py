"""Skips blocks that hold only zeros, which changes no sum.

line: control
track: custom
task: row_sum
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) {
    float sum = 0;
    for (int64_t c = 0; c < width; c += 64) {
      int64_t end = c + 64 < width ? c + 64 : width;
      bool any = false;
      for (int64_t k = c; k < end; k++) any |= x[r * width + k] != 0.0f;
      if (!any) continue;
      float part = 0;
      for (int64_t k = c; k < end; k++) part += x[r * width + k];
      sum += part;
    }
    y[r] = sum;
  }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty(x.shape[0])
        lib.run(x, y, *x.shape)
        return y
