"""Picks by 64-bit indices.

line: control
task: gather
track: custom
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void run(const float* x, const int64_t* index, float* y, int64_t rows, int64_t width,
                    int64_t picked) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < picked; c++)
      y[r * picked + c] = x[r * width + index[r * picked + c]];
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x, index):
        x, index = x.contiguous(), index.contiguous()
        y = torch.empty(index.shape)
        lib.run(x, index, y, *x.shape, index.shape[1])
        return y
