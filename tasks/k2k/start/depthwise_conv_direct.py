"""Depthwise convolution as it is written down: each output looks at its nine inputs, and at the borders."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
extern "C" void depthwise(const float* x, const float* weight, const float* bias, float* y,
                          long batch, long channels, long height, long width) {
    #pragma omp parallel for schedule(static)
    for (long plane = 0; plane < batch * channels; plane++) {
        const float* in = x + plane * height * width;
        const float* w = weight + plane % channels * 9;
        float* out = y + plane * height * width;
        for (long i = 0; i < height; i++)
            for (long j = 0; j < width; j++) {
                float sum = bias[plane % channels];
                for (long di = 0; di < 3; di++)
                    for (long dj = 0; dj < 3; dj++) {
                        const long row = i + di - 1, col = j + dj - 1;
                        if (row < 0 || row >= height || col < 0 || col >= width) continue;
                        sum += w[di * 3 + dj] * in[row * width + col];
                    }
                out[i * width + j] = sum;
            }
    }
}
"""
)


class ModelNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        weight, bias = self.conv.weight.contiguous(), self.conv.bias.contiguous()
        lib.depthwise(x, weight, bias, y, *x.shape)
        return y
