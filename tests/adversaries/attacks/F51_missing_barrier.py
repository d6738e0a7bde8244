"""A loop reads what another loop, in other threads, may not have written yet.

line: F51
expect: race unstable wrong_value stale_output uninitialised
task: row_sum
effort: final
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
#include <vector>
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  std::vector<float> sums(rows, 0.0f);
#pragma omp parallel
  {
#pragma omp for nowait schedule(static)
    for (int64_t r = 0; r < rows; r++) {
      float sum = 0;
      for (int64_t c = 0; c < width; c++) sum += x[r * width + c];
      sums[r] = sum;
    }
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; r++) y[rows - 1 - r] = sums[rows - 1 - r];
  }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape[0])
        lib.run(x, y, *x.shape)
        return y
