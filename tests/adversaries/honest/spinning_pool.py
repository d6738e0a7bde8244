"""Two threads made at import turn, yielding, until there is work, as in runtimes without a blocking time.

line: control
track: custom
"""

import torch

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <atomic>
#include <cmath>
#include <cstdint>
#include <sched.h>
#include <thread>
static struct { const float *x, *s, *b; float* y; int64_t rows, width; } job;
static std::atomic<uint64_t> epoch{0}, left{0};
static void part(int n) {
  for (int64_t r = n; r < job.rows; r += 2)
    for (int64_t c = 0; c < job.width; c++) {
      float v = job.x[r * job.width + c] * job.s[c] + job.b[c];
      job.y[r * job.width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    }
}
static void work() {
  for (uint64_t seen = 0;;) {
    while (epoch.load(std::memory_order_acquire) == seen) sched_yield();
    seen++;
    part(1);
    left.fetch_sub(1, std::memory_order_release);
  }
}
static bool made = [] { std::thread(work).detach(); return true; }();
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y, int64_t rows, int64_t width) {
  job = {x, scale, bias, y, rows, width};
  left = 1;
  epoch.fetch_add(1, std::memory_order_release);
  part(0);
  while (left.load(std::memory_order_acquire)) sched_yield();
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
