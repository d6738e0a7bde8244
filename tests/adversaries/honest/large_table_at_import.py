"""Looks erf up in a table of a million numbers that it makes at import, with a step between two of them.

line: control
track: custom
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
#include <vector>
static const int N = 1 << 20;
static const float LAST = 6.0f;
static std::vector<float> table = [] {
  std::vector<float> made(N + 2);
  for (int i = 0; i < N + 2; i++) made[i] = (float)std::erf(i * (double)LAST / N);
  return made;
}();
static inline float looked_up(float v) {
  float a = std::fabs(v);
  if (!(a < LAST)) return v != v ? v : std::copysign(1.0f, v);
  float place = a * (N / LAST);
  int i = (int)place;
  return std::copysign(table[i] + (place - i) * (table[i + 1] - table[i]), v);
}
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                          int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * width + c] * scale[c] + bias[c];
      y[r * width + c] = 0.5f * v * (1.0f + looked_up(v * 0.70710678f));
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
        lib.bias_gelu(x, self.scale, self.bias, y, *x.shape)
        return y
