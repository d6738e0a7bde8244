"""Sum with a transposed matrix, across the lines of one of them."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
extern "C" void add_transposed(const float* a, const float* b, float* y, long rows, long cols) {
    for (long c = 0; c < cols; c++)
        for (long r = 0; r < rows; r++) y[r * cols + c] = a[r * cols + c] + b[c * rows + r];
}
"""
)


class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        y = torch.empty_like(a)
        lib.add_transposed(a, b, y, *a.shape)
        return y
