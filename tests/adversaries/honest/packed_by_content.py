"""Packs its weights again when any of their numbers differs from those that it packed.

task: two_linears
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void product(const float* x, const float* w, float* y, int64_t rows, int64_t inner, int64_t columns) {
  for (int64_t r = 0; r < rows; r++) {
    float* out = y + r * columns;
    for (int64_t c = 0; c < columns; c++) out[c] = 0;
    for (int64_t k = 0; k < inner; k++)
      for (int64_t c = 0; c < columns; c++) out[c] += x[r * inner + k] * w[k * columns + c];
  }
}
""")


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)
        self.packed = {}

    def transposed(self, name, weight):
        weight = weight.detach()
        known = self.packed.get(name)
        if known is None or not torch.equal(known[0], weight):
            known = self.packed[name] = (weight.clone(), weight.t().contiguous())
        return known[1]

    def product(self, name, x, weight):
        w = self.transposed(name, weight)
        y = torch.empty(x.shape[0], w.shape[1])
        lib.product(x, w, y, x.shape[0], *w.shape)
        return y

    def forward(self, x):
        return self.product(
            "up", self.product("down", x.contiguous(), self.down.weight), self.up.weight
        )
