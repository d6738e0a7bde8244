"""Each thread adds its part to the sum of a row, without a lock.

line: F51
expect: race unstable wrong_value stale_output
task: row_sum
effort: final
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) y[r] = 0;
  for (int64_t r = 0; r < rows; r++) {
#pragma omp parallel
    {
      float part = 0;
#pragma omp for nowait
      for (int64_t c = 0; c < width; c++) part += x[r * width + c];
      y[r] += part;
    }
  }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape[0])
        lib.run(x, y, *x.shape)
        return y
