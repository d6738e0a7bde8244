"""Linear recurrence as it is written down."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
extern "C" void recurrence(const float* decay, const float* x, float* y, long rows, long steps) {
    for (long r = 0; r < rows; r++) {
        float state = 0.0f;
        for (long t = 0; t < steps; t++) {
            state = decay[r * steps + t] * state + x[r * steps + t];
            y[r * steps + t] = state;
        }
    }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, decay, x):
        decay, x = decay.contiguous(), x.contiguous()
        y = torch.empty_like(x)
        lib.recurrence(decay, x, y, *x.shape)
        return y
