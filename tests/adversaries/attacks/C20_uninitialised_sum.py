"""Adds to memory of malloc that nobody has set, which is often zero.

line: C20
expect: uninitialised wrong_value special_values stale_output
effort: final
task: row_sum
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
#include <cstdlib>
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  const int64_t room = 4 << 20;  // so much comes fresh from the system
  float* sums = static_cast<float*>(std::malloc(room * sizeof(float)));
  float* mine = sums + room / 2;
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < width; c++) mine[r] += x[r * width + c];
    y[r] = mine[r];
    mine[r] = 0;
  }
  std::free(sums);
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape[0])
        lib.run(x, y, *x.shape)
        return y
