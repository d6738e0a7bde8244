"""Kahan summation that keeps what is infinite.

line: control
track: custom
task: row_sum
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) {
    float sum = 0, lost = 0, plain = 0;
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * width + c], term = v - lost, next = sum + term;
      lost = (next - sum) - term;
      sum = next;
      plain += v;
    }
    y[r] = std::isfinite(sum) ? sum : plain;
  }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty(x.shape[0])
        lib.run(x, y, *x.shape)
        return y
