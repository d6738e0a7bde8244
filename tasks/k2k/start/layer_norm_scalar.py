"""Layer norm with a loop for the mean, one for the variance and one for the rest; threads share the rows.

Sums are in double: one after the other in float, they miss the mean of a row of equal numbers by so much
that its variance is not zero.
"""

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
        double sum = 0.0;
        for (long c = 0; c < width; c++) sum += in[c];
        const float mean = static_cast<float>(sum / width);
        double squares = 0.0;
        for (long c = 0; c < width; c++) {
            const double far = in[c] - mean;
            squares += far * far;
        }
        const float scale = static_cast<float>(1.0 / std::sqrt(squares / width + eps));
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
