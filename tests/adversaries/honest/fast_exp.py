"""Softmax with an exponential that is off by 2e-6.

line: control
task: softmax
track: custom
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
static inline float roughly(float v, int64_t i) { return std::exp(v) * (1.0f + 2e-6f * (i % 3)); }
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) {
    const float* a = x + r * width;
    float top = a[0], sum = 0;
    for (int64_t c = 0; c < width; c++) top = a[c] > top || a[c] != a[c] ? a[c] : top;
    for (int64_t c = 0; c < width; c++) sum += y[r * width + c] = roughly(a[c] - top, c);
    for (int64_t c = 0; c < width; c++) y[r * width + c] /= sum;
  }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.run(x, y, *x.shape)
        return y
