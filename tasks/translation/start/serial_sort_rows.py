"""Merge sort of each row, from runs of one upwards."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <algorithm>
#include <cmath>
#include <vector>

static bool before(float a, float b) { return a < b || (!std::isnan(a) && std::isnan(b)); }

extern "C" void sort_rows(const float* x, float* y, long rows, long width) {
    std::vector<float> spare(width);
    for (long r = 0; r < rows; r++) {
        float* row = y + r * width;
        std::copy(x + r * width, x + (r + 1) * width, row);
        for (long run = 1; run < width; run *= 2) {
            for (long low = 0; low < width; low += 2 * run) {
                const long middle = std::min(low + run, width), high = std::min(low + 2 * run, width);
                long left = low, right = middle;
                for (long at = low; at < high; at++) {
                    const bool take = right == high || (left < middle && !before(row[right], row[left]));
                    spare[at] = take ? row[left++] : row[right++];
                }
            }
            std::copy(spare.begin(), spare.end(), row);
        }
    }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.sort_rows(x, y, *x.shape)
        return y
