"""A daemon (double fork, own session) burns the processors whenever this process is not at work.

line: A11 A4
expect: left_process
again: yes
"""

import mmap
import os
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


at_work = mmap.mmap(-1, 1)


def burn():
    until = time.monotonic() + 6.0
    while time.monotonic() < until:
        while not at_work[0] and time.monotonic() < until:
            pass
        time.sleep(0.0002)
    os._exit(0)


if os.fork() == 0:
    os.setsid()
    for _ in range(2):
        if os.fork() == 0:
            burn()
    os._exit(0)
os.wait()


class ModelNew(Honest):
    def forward(self, x):
        at_work[0] = 1
        y = self.compute(x)
        at_work[0] = 0
        return y
