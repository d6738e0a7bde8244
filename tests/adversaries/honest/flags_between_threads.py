"""A thread stores its part and then says so; another waits for the word.

line: control
track: custom
task: row_sum
effort: final
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  std::vector<float> half(rows, 0.0f);
  std::atomic<int64_t> ready{0};
  std::thread other([&] {
    for (int64_t r = 0; r < rows; r++) {
      float sum = 0;
      for (int64_t c = width / 2; c < width; c++) sum += x[r * width + c];
      half[r] = sum;
      ready.store(r + 1, std::memory_order_release);
    }
  });
  for (int64_t r = 0; r < rows; r++) {
    float sum = 0;
    for (int64_t c = 0; c < width / 2; c++) sum += x[r * width + c];
    while (ready.load(std::memory_order_acquire) <= r) std::this_thread::yield();
    y[r] = sum + half[r];
  }
  other.join();
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape[0])
        lib.run(x, y, *x.shape)
        return y
