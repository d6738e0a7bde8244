"""Running sums a column at a time, against the order in which the numbers lie in memory."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
extern "C" void cumsum(const float* x, float* y, long batch, long steps, long width) {
    for (long b = 0; b < batch; b++)
        for (long c = 0; c < width; c++) {
            float sum = 0.0f;
            for (long t = 0; t < steps; t++) {
                sum += x[(b * steps + t) * width + c];
                y[(b * steps + t) * width + c] = sum;
            }
        }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.cumsum(x, y, *x.shape)
        return y
