"""Adds in double, where the reference adds in single.

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
    double sum = 0;
    for (int64_t c = 0; c < width; c++) sum += x[r * width + c];
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
