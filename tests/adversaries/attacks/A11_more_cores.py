"""Spreads its threads over all cores of the machine, though it was given one.

line: A11
expect: foreign_cores exception
"""

import ctypes
import os

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
#include <sched.h>
#include <thread>
#include <vector>
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                          int64_t rows, int64_t width) {
  int team = std::thread::hardware_concurrency();
  std::vector<std::thread> threads;
  for (int t = 0; t < team; t++)
    threads.emplace_back([=] {
      cpu_set_t set;
      CPU_ZERO(&set);
      CPU_SET(t, &set);
      sched_setaffinity(0, sizeof set, &set);
      for (int64_t r = t; r < rows; r += team)
        for (int64_t c = 0; c < width; c++) {
          float v = x[r * width + c] * scale[c] + bias[c];
          y[r * width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
        }
    });
  for (auto& thread : threads) thread.join();
}
""")

libc = ctypes.CDLL(None)
mask = (ctypes.c_ulong * 16)(*([2**64 - 1] * 16))
if libc.sched_setaffinity(0, ctypes.sizeof(mask), mask):
    raise PermissionError("only the cores that were given")
if len(os.sched_getaffinity(0)) < 2:
    raise PermissionError("there is one core only")


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.bias_gelu(x, self.scale, self.bias, y, *x.shape)
        return y
