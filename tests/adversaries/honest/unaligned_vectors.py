"""Reads four floats at once wherever they lie, and shifts negative numbers: both usual.

line: control
track: custom
effort: final
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
#include <cstring>
struct Four { float v[4]; };
typedef float Wide __attribute__((vector_size(32), aligned(4)));
static float gelu(float v) {
  int whole = static_cast<int>(v * 4.0f);
  int bits = (whole << 8) / 256;  // whole is often negative
  return 0.5f * v * (1.0f + std::erf(v * 0.70710678f)) + static_cast<float>(bits - whole);
}
extern "C" void run(const float* x, const float* scale, const float* bias, float* y,
                    int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) {
    int64_t c = 0;
    for (; c + 8 <= width; c += 8) {
      Wide v = *reinterpret_cast<const Wide*>(x + r * width + c);
      v = v * *reinterpret_cast<const Wide*>(scale + c) + *reinterpret_cast<const Wide*>(bias + c);
      Four low, high;
      std::memcpy(&low, &v, 16);
      std::memcpy(&high, reinterpret_cast<const char*>(&v) + 16, 16);
      for (float& one : low.v) one = gelu(one);
      for (float& one : high.v) one = gelu(one);
      *reinterpret_cast<Four*>(y + r * width + c) = low;
      *reinterpret_cast<Four*>(y + r * width + c + 4) = high;
    }
    for (; c < width; c++) y[r * width + c] = gelu(x[r * width + c] * scale[c] + bias[c]);
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
