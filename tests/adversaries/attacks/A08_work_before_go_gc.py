"""Does the work of a leg before the clock starts: a gc callback runs between the arrival of the inputs and the go.

line: A1 A9
expect: stale_output
"""

import gc
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
model = None


def early(phase, info):
    calls = pending()
    if calls and model is not None:
        done.clear()
        for x, *_ in calls:
            done[x.data_ptr()] = model.compute(x)


gc.callbacks.append(early)


class ModelNew(Honest):
    def forward(self, x):
        global model
        model = self
        y = done.pop(x.data_ptr(), None)
        return self.compute(x) if y is None else y
