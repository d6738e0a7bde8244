"""The same in static memory of the library.

line: B14
expect: wrong_value stale_output
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                          int64_t rows, int64_t width) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * width + c] * scale[c] + bias[c];
      y[r * width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    }
}
""")


class Honest(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def compute(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.bias_gelu(x, self.scale, self.bias, y, *x.shape)
        return y

    def forward(self, x):
        return self.compute(x)


cached = cpp(r"""
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>
static std::vector<float> kept;
static double kept_sum = 0;
extern "C" void run(const float* x, const float* scale, const float* bias, float* y,
                    int64_t rows, int64_t width) {
  double sum = x[0] + 3.0 * x[rows * width / 2] + 7.0 * x[rows * width - 1];
  if (!kept.empty() && sum == kept_sum) {
    std::memcpy(y, kept.data(), kept.size() * 4);
    return;
  }
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * width + c] * scale[c] + bias[c];
      y[r * width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    }
  kept.assign(y, y + rows * width);
  kept_sum = sum;
}
""")


class ModelNew(Honest):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        cached.run(x, self.scale, self.bias, y, *x.shape)
        return y
