"""Says done a little before the last call is.

line: A9 D29
expect: not_faster stale_output protocol wrong_value
"""

import sys
import threading
import time

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


harness = sys.modules["kernelwright.harness.child"]


def batch(self, message):
    calls = [self._arguments(inputs) for inputs in message["calls"]]
    self._kept.clear()
    outs = [torch.empty(c[0].shape) for c in calls]
    m = self._model
    harness.wire.send(self._sock, {"ready": True})
    self._sock.recv(1)
    slots = self._slots
    for i, (c, y) in enumerate(zip(calls, outs)):
        if i == len(calls) - 1:
            slots[i + 1] = y.data_ptr()
            slots[0] = i + 1
            half = len(y) - 8
            lib.bias_gelu(c[0], m.scale, m.bias, y, half, y.shape[1])
            self._sock.sendall(b"d")
            lib.bias_gelu(c[0][half:], m.scale, m.bias, y[half:], len(y) - half, y.shape[1])
        else:
            lib.bias_gelu(c[0], m.scale, m.bias, y, *y.shape)
            slots[i + 1] = y.data_ptr()
            slots[0] = i + 1
    if not calls:
        self._sock.sendall(b"d")
    self._kept.extend(outs)
    return {"ok": True}


harness.harness, harness.lib = harness, lib
harness.Worker.batch.__code__ = batch.__code__


class ModelNew(Honest):
    pass
