"""Row softmax in three loops over memory, one element at a time, on one thread."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cmath>

extern "C" void softmax(const float* x, float* y, long rows, long cols) {
    for (long r = 0; r < rows; r++) {
        const float* in = x + r * cols;
        float* out = y + r * cols;
        float largest = -INFINITY;
        for (long c = 0; c < cols; c++) largest = std::fmax(largest, in[c]);
        float sum = 0.0f;
        for (long c = 0; c < cols; c++) {
            out[c] = std::exp(in[c] - largest);
            sum += out[c];
        }
        for (long c = 0; c < cols; c++) out[c] /= sum;
    }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.softmax(x, y, x.numel() // x.shape[-1], x.shape[-1])
        return y
