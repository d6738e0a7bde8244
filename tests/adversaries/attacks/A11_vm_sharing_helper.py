"""A helper process that shares the memory but not the fate: it is not stopped with its owner.

line: A11 A4
expect: exception
again: yes
"""

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


helper = cpp(r"""
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>
static volatile int work = 0;
static int spin(void*) {
  for (long i = 0; i < 1500; i++) { work++; usleep(2000); }
  _exit(0);
}
extern "C" int launch(int unused) {
  char* stack = (char*)malloc(1 << 16) + (1 << 16);
  return clone(spin, stack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_PARENT | SIGCHLD, nullptr);
}
""")
if helper.launch(0) < 0:
    raise PermissionError("no such process can be made")


class ModelNew(Honest):
    pass
