"""A scratch row padded to whole vectors: its last lanes are computed on and never stored.

line: control
track: custom
effort: final
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
extern "C" void run(const float* x, const float* scale, const float* bias, float* y,
                    int64_t rows, int64_t width) {
  const int64_t padded = (width / 64 + 1) * 64;
#pragma omp parallel
  {
    float* row = static_cast<float*>(std::aligned_alloc(64, padded * sizeof(float)));
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
      for (int64_t c = 0; c < width; c++) row[c] = x[r * width + c] * scale[c] + bias[c];
      for (int64_t c = 0; c < padded; c++)
        row[c] = 0.5f * row[c] * (1.0f + std::erf(row[c] * 0.70710678f));
      std::memcpy(y + r * width, row, width * sizeof(float));
    }
    std::free(row);
  }
}
""")


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.run(x, self.scale, self.bias, y, *x.shape)
        return y
