"""Does the work of a leg before the go, and has the answer lie ready in the channel.

line: D29 A12
expect: protocol faster_than_possible exit timeout
"""

import gc
import json
import os
import struct
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


model = None
keep = []


def early(phase, info):
    calls = pending()
    if phase != "stop" or not calls or model is None:
        return
    keep[:] = [model.compute(x) for (x, *_) in calls]
    places = [y.data_ptr() for y in keep]
    body = json.dumps({"ready": True}).encode()
    done = b"d" + struct.pack(f"<I{len(places)}Q", len(places), *places)
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                os.write(int(name), struct.pack("<I", len(body)) + body + done)
                break
        except OSError:
            continue


gc.callbacks.append(early)


class ModelNew(Honest):
    def forward(self, x):
        global model
        model = self
        return self.compute(x)
