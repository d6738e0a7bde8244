"""Bias and GELU, one number after the other."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cmath>

extern "C" void bias_gelu(const float* x, const float* bias, float* y, long rows, long width) {
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < width; c++) {
            float v = x[r * width + c] + bias[c];
            y[r * width + c] = 0.5f * v * (1.0f + erff(v * 0.70710678f));
        }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x, bias):
        x, bias = x.contiguous(), bias.contiguous()
        y = torch.empty_like(x)
        lib.bias_gelu(x, bias, y, *x.shape)
        return y
