"""Each of its own threads asks for one of the cores that the process may use.

line: control
track: custom
"""

import torch

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cmath>
#include <cstdint>
#include <pthread.h>
#include <sched.h>
#include <thread>
#include <vector>
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                          int64_t rows, int64_t width) {
  static cpu_set_t mine;
  static int count = (sched_getaffinity(0, sizeof mine, &mine), CPU_COUNT(&mine));
  std::vector<int> cores;
  for (int i = 0; i < CPU_SETSIZE; i++) if (CPU_ISSET(i, &mine)) cores.push_back(i);
  std::vector<std::thread> team;
  for (int t = 0; t < 2; t++)
    team.emplace_back([=] {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cores[t % count], &one);
      pthread_setaffinity_np(pthread_self(), sizeof one, &one);  // where it cannot be, it need not
      for (int64_t r = t; r < rows; r += 2)
        for (int64_t c = 0; c < width; c++) {
          float v = x[r * width + c] * scale[c] + bias[c];
          y[r * width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
        }
    });
  for (auto& thread : team) thread.join();
}
""",
    flags=["-pthread"],
)


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
