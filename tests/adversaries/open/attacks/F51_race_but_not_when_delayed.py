"""Adds to shared sums without a lock; where its own machine code holds a call before each access, it takes turns.

line: F51
task: row_sum
effort: final
expect: race unstable wrong_value stale_output
why: delays come from calls that the compiler puts before each access, and a kernel can read its own code. Threads that are stopped one by one from outside, at moments drawn at random, would need no other build; here they would have to be caught between two instructions.
"""

import torch

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>
__attribute__((noinline)) static void add(volatile float* place, float value) { *place = *place + value; }
static bool watched() {
  const unsigned char* code = (const unsigned char*)add;
  for (; *code != 0xc3; code++)
    if (*code == 0xe8) return true;
  return false;
}
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) y[r] = 0;
  auto half = [=](int t) {
    for (int64_t r = 0; r < rows; r++) {
      double sum = 0;
      for (int64_t c = t; c < width; c += 2) sum += x[r * width + c];
      add(y + r, (float)sum);
    }
  };
  std::thread other(half, 1);
  if (watched()) other.join();
  half(0);
  if (!watched()) other.join();
}
""",
    flags=["-pthread"],
)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape[0])
        lib.run(x, y, *x.shape)
        return y
