"""Multiplies numbers cut to the 10 bits of TF32, inside C++.

line: F49
expect: precision
task: two_linears
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
#include <cstring>
static inline float cut(float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, 4);
  bits = (bits + 0x1000u) & 0xFFFFE000u;
  std::memcpy(&v, &bits, 4);
  return v;
}
extern "C" void product(const float* x, const float* w, float* y, int rows, int inner, int columns) {
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) {
      float sum = 0;
      for (int k = 0; k < inner; k++) sum += cut(x[r * inner + k]) * cut(w[c * inner + k]);
      y[r * columns + c] = sum;
    }
}
""")


def product(x, w):
    x, y = x.contiguous(), torch.empty(x.shape[0], w.shape[0])
    lib.product(x, w, y, x.shape[0], x.shape[1], w.shape[0])
    return y


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        return product(product(x, self.down.weight), self.up.weight)
