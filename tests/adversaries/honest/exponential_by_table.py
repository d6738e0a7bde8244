"""Softmax with 2^(i/64) from a table and a short polynomial.

line: control
track: custom
task: softmax
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
#include <limits>
static float table[64];
extern "C" void prepare() {
  for (int i = 0; i < 64; i++) table[i] = std::exp2(i / 64.0);
}
static inline float power(float v) {  // exp(v) for v <= 0
  if (!(v > -104.0f)) return v == v ? 0.0f : v;
  double t = v * 92.332482616893656877;  // 64 / ln 2
  long n = std::lrint(t);
  float r = (float)((t - n) * 0.010830424696249145);  // ln 2 / 64
  float p = 1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24))));
  return std::ldexp(table[n & 63] * p, (int)(n >> 6));
}
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) {
    const float* a = x + r * width;
    float* b = y + r * width;
    float most = -std::numeric_limits<float>::infinity(), sum = 0;
    for (int64_t c = 0; c < width; c++) most = a[c] > most || a[c] != a[c] ? a[c] : most;
    for (int64_t c = 0; c < width; c++) sum += b[c] = power(a[c] - most);
    for (int64_t c = 0; c < width; c++) b[c] /= sum;
  }
}
""")
lib.prepare()


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.run(x, y, *x.shape)
        return y
