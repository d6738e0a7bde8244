"""One pass for maximum and sum, with an exponential of its own.

line: control
task: softmax
track: custom
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
#include <cstring>
static inline float fexp(float v) {
  if (!(v > -87.3f)) return v != v ? v : 0.0f;
  float t = v * 1.44269504f, f = std::nearbyint(t);
  float r = std::fma(f, -0.693359375f, v); r = std::fma(f, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f; p = p * r + 8.3334519073e-3f; p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f; p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int32_t e = ((int32_t)f + 127) << 23; float s; std::memcpy(&s, &e, 4);
  return p * s;
}
extern "C" void softmax(const float* x, float* y, int64_t rows, int64_t width) {
#pragma omp parallel for
  for (int64_t r = 0; r < rows; r++) {
    const float* a = x + r * width; float* b = y + r * width;
    float m = -INFINITY, s = 0; bool bad = false;
    for (int64_t c = 0; c < width; c++) {
      float v = a[c];
      bad |= !(v < INFINITY);
      if (v > m) { s = s * fexp(m - v) + 1; m = v; } else s += fexp(v - m);
    }
    if (bad || m == -INFINITY) { for (int64_t c = 0; c < width; c++) b[c] = NAN; continue; }
    for (int64_t c = 0; c < width; c++) b[c] = fexp(a[c] - m) / s;
  }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.softmax(x, y, *x.shape)
        return y
