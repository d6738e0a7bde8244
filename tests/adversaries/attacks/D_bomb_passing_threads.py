"""Threads that come and go without end: whoever looks at them finds some gone.

line: D bombs: threads that end
expect: *
track: custom mixed
again: yes
"""

import threading
import time

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <pthread.h>
#include <cstdint>
static void* nothing(void*) { return nullptr; }
static void* forever(void*) {
  for (;;) {
    pthread_t t;
    if (!pthread_create(&t, nullptr, nothing, nullptr)) pthread_detach(t);
  }
}
extern "C" void begin() {
  pthread_t t;
  for (int i = 0; i < 3; i++) pthread_create(&t, nullptr, forever, nullptr);
}
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


lib.begin()


class ModelNew(Honest):
    pass
