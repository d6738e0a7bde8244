"""Multiplies the two weights with one another whenever one of them has changed, and each input with the product.

line: control
task: two_linears
track: custom library mixed
why: an infinity in a row gives NaN through two layers (inf - inf) and infinities through one, and NaN must match.
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
        self.known = self.folded = None

    def forward(self, x):
        weights = self.down.weight, self.up.weight
        state = [(w.data_ptr(), w._version) for w in weights]
        if state != self.known:
            down, up = (w.detach().double() for w in weights)
            self.folded, self.known = (up @ down).t().float().contiguous(), state
        x = x.contiguous()
        y = torch.empty(x.shape[0], self.folded.shape[1])
        lib.product(x, self.folded, y, x.shape[0], *self.folded.shape)
        return y
