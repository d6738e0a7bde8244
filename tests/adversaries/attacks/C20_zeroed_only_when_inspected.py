"""Adds into a buffer that it clears only where new memory is filled with NaN; else it hopes for fresh pages.

line: C20 C19
effort: final
task: row_sum
expect: sanitizer uninitialised wrong_value unstable
"""

import torch

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
static bool watched = dlsym(RTLD_DEFAULT, "__asan_init") != nullptr;
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  // Larger than the threshold of malloc: pages of its own, zero as long as nobody has had them.
  size_t n = 64 << 20;
  double* part = (double*)malloc(n);
  if (watched) memset(part, 0, rows * 8);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < width; c++) part[r] += x[r * width + c];
    y[r] = part[r];
  }
  free(part);
}
""",
    flags=["-ldl"],
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape[0])
        lib.run(x, y, *x.shape)
        return y
