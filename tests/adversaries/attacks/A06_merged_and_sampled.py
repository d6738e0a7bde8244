"""Does all calls of a leg in one launch; each later call looks whether a few numbers of its input are still the same.

line: A6 A10
expect: stale_output
"""

import sys

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                          int64_t rows, int64_t width) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * width + c] * scale[c] + bias[c];
      y[r * width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    }
}
""")


class Honest(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def compute(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.bias_gelu(x, self.scale, self.bias, y, *x.shape)
        return y

    def forward(self, x):
        return self.compute(x)


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


done = {}


class ModelNew(Honest):
    def forward(self, x):
        calls = pending()
        if calls is None:
            return self.compute(x)
        if x is calls[0][0]:
            done.clear()
            few = [a[0][0, :8].clone() for a in calls]
            parts = self.compute(torch.cat([a[0] for a in calls])).split(len(x))
            for a, f, y in zip(calls, few, parts, strict=True):
                done[a[0].data_ptr()] = f, y
        few, y = done[x.data_ptr()]
        return y if torch.equal(few, x[0, :8]) else self.compute(x)
