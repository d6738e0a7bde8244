"""Histogram, one value after the other."""

from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cstring>

extern "C" void histogram(const long* value, long* counts, long rows, long items, long bins) {
    std::memset(counts, 0, sizeof(long) * rows * bins);
    for (long r = 0; r < rows; r++)
        for (long i = 0; i < items; i++) counts[r * bins + value[r * items + i]]++;
}
"""
)


class ModelNew(nn.Module):
    def __init__(self, bins):
        super().__init__()
        self.bins = bins

    def forward(self, value):
        value = value.contiguous()
        counts = value.new_empty(value.shape[0], self.bins)
        lib.histogram(value, counts, *value.shape, self.bins)
        return counts
