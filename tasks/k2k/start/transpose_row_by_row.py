"""Transposition that reads along rows and writes down columns, a cache line for each number."""

from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
extern "C" void transpose(const float* x, const float* scale, float* y,
                          long batch, long rows, long cols) {
    for (long b = 0; b < batch; b++)
        for (long r = 0; r < rows; r++)
            for (long c = 0; c < cols; c++)
                y[(b * cols + c) * rows + r] = x[(b * rows + r) * cols + c] * scale[c];
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x, scale):
        x, scale = x.contiguous(), scale.contiguous()
        batch, rows, cols = x.shape
        y = x.new_empty(batch, cols, rows)
        lib.transpose(x, scale, y, batch, rows, cols)
        return y
