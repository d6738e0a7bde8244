"""Histogram with one counter a bin: each addition waits for the one before it where they meet."""

from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cstring>

extern "C" void histogram(const long* bin, const float* weight, float* y,
                          long rows, long items, long bins) {
    std::memset(y, 0, sizeof(float) * rows * bins);
    for (long r = 0; r < rows; r++)
        for (long i = 0; i < items; i++) y[r * bins + bin[r * items + i]] += weight[r * items + i];
}
"""
)


class ModelNew(nn.Module):
    def __init__(self, bins):
        super().__init__()
        self.bins = bins

    def forward(self, bin, weight):
        bin, weight = bin.contiguous(), weight.contiguous()
        rows, items = weight.shape
        y = weight.new_empty(rows, self.bins)
        lib.histogram(bin, weight, y, rows, items, self.bins)
        return y
