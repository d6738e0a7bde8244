"""Heat step, point by point; the border is copied."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
extern "C" void heat_step(const float* heat, const float* conductivity, float* y, long height, long width) {
    for (long i = 0; i < height; i++)
        for (long j = 0; j < width; j++) {
            const long at = i * width + j;
            y[at] = heat[at];
            if (i == 0 || i == height - 1 || j == 0 || j == width - 1) continue;
            const float near = heat[at - width] + heat[at + width] + heat[at - 1] + heat[at + 1];
            y[at] += conductivity[at] * (near - 4.0f * heat[at]);
        }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, heat, conductivity):
        heat, conductivity = heat.contiguous(), conductivity.contiguous()
        y = torch.empty_like(heat)
        lib.heat_step(heat, conductivity, y, *heat.shape)
        return y
