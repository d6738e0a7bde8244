"""A thread watches the main thread frames, and does the work of a leg while that waits for the go.

line: A1 A9
expect: stale_output
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


done = {}
model = None
main = threading.get_ident()


def watch():
    seen = None
    while True:
        frame = sys._current_frames().get(main)
        calls = None
        while frame and calls is None:
            for value in list(frame.f_locals.values()):
                if (
                    type(value) is list
                    and value
                    and all(type(a) is list and a and isinstance(a[0], torch.Tensor) for a in value)
                ):
                    calls = value
            frame = frame.f_back
        if calls is not None and calls is not seen and model is not None:
            seen = calls
            for x, *_ in calls:
                done[id(x)] = x, model.compute(x)
        time.sleep(0.00002)


class ModelNew(Honest):
    def __init__(self, width):
        super().__init__(width)
        threading.Thread(target=watch, daemon=True).start()

    def forward(self, x):
        global model
        model = self
        early_x, y = done.pop(id(x), (None, None))
        return y if early_x is x else self.compute(x)
