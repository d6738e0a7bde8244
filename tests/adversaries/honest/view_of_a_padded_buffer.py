"""Returns a view of a new buffer whose rows are padded.

line: control
track: custom
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


other = cpp(r"""
#include <cmath>
#include <cstdint>
extern "C" void run(const float* x, const float* scale, const float* bias, float* y,
                    int64_t rows, int64_t width, int64_t stride) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * width + c] * scale[c] + bias[c];
      y[r * stride + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    }
}
""")


class ModelNew(Honest):
    def compute(self, x):
        x = x.contiguous()
        rows, width = x.shape
        y = torch.empty(rows, width + 16)
        other.run(x, self.scale, self.bias, y, rows, width, width + 16)
        return y[:, :width]
