"""A pool of std::threads made at import, spinning briefly, then asleep.

line: control
track: custom
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>
struct Job { const float *x, *s, *b; float* y; int64_t rows, width; };
static Job job; static std::mutex m; static std::condition_variable go, done;
static int epoch = 0, left = 0; static const int N = 3;
static void rows(const Job& j, int64_t from, int64_t to) {
  for (int64_t r = from; r < to; r++)
    for (int64_t c = 0; c < j.width; c++) {
      float v = j.x[r * j.width + c] * j.s[c] + j.b[c];
      j.y[r * j.width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    }
}
static void work(int n) {
  int seen = 0;
  for (;;) {
    std::unique_lock<std::mutex> l(m);
    go.wait(l, [&] { return epoch != seen; });
    seen = epoch; Job j = job; l.unlock();
    rows(j, j.rows * n / N, j.rows * (n + 1) / N);
    l.lock();
    if (--left == 0) done.notify_one();
  }
}
static bool made = [] { for (int i = 0; i < N; i++) std::thread(work, i).detach(); return true; }();
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y, int64_t r, int64_t w) {
  std::unique_lock<std::mutex> l(m);
  job = Job{x, scale, bias, y, r, w}; left = N; epoch++;
  go.notify_all();
  done.wait(l, [] { return left == 0; });
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


class ModelNew(Honest):
    pass
