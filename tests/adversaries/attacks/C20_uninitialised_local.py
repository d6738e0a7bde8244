"""Adds to a local array whose elements it has not all set.

line: C20
expect: uninitialised wrong_value special_values stale_output precision
effort: final
task: row_sum
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) {
    double part[16];
    for (int k = 0; k < 15; k++) part[k] = 0;
    for (int64_t c = 0; c < width; c++) part[c % 15] += x[r * width + c];
    double sum = 0;
    for (int k = 0; k < 16; k++)
      if (part[k] < 1e30 && part[k] > -1e30) sum += part[k] > 1e9 ? 0 : part[k];
      else if (k < 15) sum += part[k];
      else sum = part[k];
    y[r] = static_cast<float>(sum);
  }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape[0])
        lib.run(x, y, *x.shape)
        return y
