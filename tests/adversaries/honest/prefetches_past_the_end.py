"""Prefetches beyond the end of its input, which reads nothing.

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
    float part[8] = {};
    int64_t c = 0;
    for (; c + 8 <= width; c += 8) {
      __builtin_prefetch(x + r * width + c + 4096);
      for (int k = 0; k < 8; k++) part[k] += x[r * width + c + k];
    }
    float sum = 0;
    for (int k = 0; k < 8; k++) sum += part[k];
    for (; c < width; c++) sum += x[r * width + c];
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
