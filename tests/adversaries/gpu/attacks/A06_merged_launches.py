"""The first call of a timed leg finds the inputs of all its calls and does them in one launch.

line: A6
expect: *
"""

import sys

import torch

from kernelwright.inline import cuda

mod = cuda(r"""
extern "C" __global__ void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                                     int n, int width) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    float v = x[i] * scale[i % width] + bias[i % width];
    y[i] = 0.5f * v * (1.0f + erff(v * 0.70710678f));
  }
}
""")


class Honest(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def into(self, x, y):
        n = x.numel()
        mod.bias_gelu[(n + 255) // 256, 256](x, self.scale, self.bias, y, n, x.shape[-1])
        return y

    def forward(self, x):
        x = x.contiguous()
        return self.into(x, torch.empty_like(x))


done = {}


def pending():
    """The argument lists of all calls of the leg in progress, from the frames above; or None."""
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if (
                type(value) is list
                and value
                and all(type(a) is list and a and isinstance(a[0], torch.Tensor) for a in value)
            ):
                return value
        frame = frame.f_back
    return None


class ModelNew(Honest):
    def forward(self, x):
        calls = pending()
        if calls is None:
            return super().forward(x)
        if x is calls[0][0]:
            done.clear()
            inputs = [a[0] for a in calls]
            both = super().forward(torch.cat(inputs))
            done.update(zip([i.data_ptr() for i in inputs], both.split(len(x)), strict=True))
        return done[x.data_ptr()]
