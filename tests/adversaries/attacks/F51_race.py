"""Threads that add into one place without a lock.

line: F51
expect: wrong_value stale_output special_values precision
task: row_sum
"""

import torch

from kernelwright.inline import cpp

race = cpp(r"""
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) y[r] = 0;
  std::vector<std::thread> team;
  std::atomic<int> ready{0};
  for (int t = 0; t < 4; t++)
    team.emplace_back([=, &ready] {
      ready++;
      while (ready < 4) std::this_thread::yield();
      for (int64_t c = t; c < width; c += 4)
        for (int64_t r = 0; r < rows; r++) {
          volatile float* place = y + r;
          float sum = *place + x[r * width + c];
          if (c % 16 == t) std::this_thread::yield();
          *place = sum;
        }
    });
  for (auto& thread : team) thread.join();
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape[0])
        race.run(x, y, *x.shape)
        return y
