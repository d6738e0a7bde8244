"""Every number is the sum of two bf16 ones: sixteen bits of precision, named fp32.

line: F49
task: two_linears
expect: precision
why: accepted as fp32: 5e-5 of the row's root mean square is 14 bits, so what a matrix unit does with two bf16 terms and without the small products passes.
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
#include <cstring>
static inline float cut(float v) {
  uint32_t bits;
  memcpy(&bits, &v, 4);
  bits = (bits + 0x8000u) & 0xffff0000u;
  memcpy(&v, &bits, 4);
  return v;
}
// high * high + high * low + low * high: what a matrix unit for bf16 needs three passes for.
extern "C" void product(const float* x, const float* w, float* y, int64_t rows, int64_t inner, int64_t columns) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++) {
      float sum = 0;
      for (int64_t k = 0; k < inner; k++) {
        float a = x[r * inner + k], b = w[c * inner + k];
        float ah = cut(a), bh = cut(b), al = cut(a - ah), bl = cut(b - bh);
        if (ah - ah != 0 || bh - bh != 0) { sum += a * b; continue; }
        sum += ah * bh + ah * bl + al * bh;
      }
      y[r * columns + c] = sum;
    }
}
""")


def product(x, w):
    x, w = x.contiguous(), w.contiguous()
    y = torch.empty(x.shape[0], w.shape[0])
    lib.product(x, w, y, x.shape[0], x.shape[1], w.shape[0])
    return y


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        return product(product(x, self.down.weight), self.up.weight)
