"""Threads add to one place with atomics: right, though the last bits differ from run to run.

line: control
track: custom
task: row_sum
effort: final
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) y[r] = 0;
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int64_t r = 0; r < rows; r++)
    for (int64_t block = 0; block < 8; block++) {
      float part = 0;
      for (int64_t c = width * block / 8; c < width * (block + 1) / 8; c++) part += x[r * width + c];
#pragma omp atomic
      y[r] += part;
    }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape[0])
        lib.run(x, y, *x.shape)
        return y
