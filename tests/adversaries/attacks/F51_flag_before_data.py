"""A thread says that its part is ready before it has stored it.

line: F51
expect: race unstable wrong_value stale_output special_values
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
      ready.store(r + 1);
      half[r] = sum;
    }
  });
  for (int64_t r = 0; r < rows; r++) {
    float sum = 0;
    for (int64_t c = 0; c < width / 2; c++) sum += x[r * width + c];
    while (ready.load() <= r) std::this_thread::yield();
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
