"""C++ that the compiler chews on without end.

line: D bombs: loop
expect: build_failed
again: yes
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


cpp(r"""
template <int N> struct F { static const long v = F<N - 1>::v + F<N - 2>::v * F<N - 3>::v; };
template <unsigned long A, unsigned long B> struct G {
  static const int v = G<A * 3 + 1, B - 1>::v + G<A * 5 + 2, B - 1>::v;
};
template <unsigned long A> struct G<A, 0> { static const int v = 1; };
extern "C" int run(int x) { return x + G<1, 40>::v; }
""")


class ModelNew(Honest):
    pass
