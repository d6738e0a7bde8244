"""Layer norm with a loop for the mean, one for the variance and one for the rest; threads share the rows."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cmath>

extern "C" void layer_norm(const float* x, const float* weight, const float* bias, float* y,
                           long rows, long width, float eps) {
    #pragma omp parallel for schedule(static)
    for (long r = 0; r < rows; r++) {
        const float* in = x + r * width;
        float* out = y + r * width;
        float sum = 0.0f;
        for (long c = 0; c < width; c++) sum += in[c];
        const float mean = sum / width;
        float squares = 0.0f;
        for (long c = 0; c < width; c++) squares += (in[c] - mean) * (in[c] - mean);
        const float scale = 1.0f / std::sqrt(squares / width + eps);
        for (long c = 0; c < width; c++) out[c] = (in[c] - mean) * scale * weight[c] + bias[c];
    }
}
"""
)


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        norm, width = self.norm, x.shape[-1]
        weight, bias = norm.weight.contiguous(), norm.bias.contiguous()
        lib.layer_norm(x, weight, bias, y, x.numel() // width, width, norm.eps)
        return y
