"""Rounds inputs and weights to 8 bits for the products.

line: F49
task: two_linears
expect: wrong_value special_values precision
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
#include <vector>
static float rounded(const float* x, int8_t* q, int64_t n) {
  float most = 0;
  for (int64_t i = 0; i < n; i++) most = std::fmax(most, std::fabs(x[i]));
  for (int64_t i = 0; i < n; i++) q[i] = most > 0 ? std::lrint(x[i] / most * 127) : 0;
  return most / 127;
}
extern "C" void run(const float* x, const float* w, float* y, int64_t m, int64_t n, int64_t k) {
  std::vector<int8_t> a(k), b(n * k);
  std::vector<float> scales(n);
  for (int64_t j = 0; j < n; j++) scales[j] = rounded(w + j * k, &b[j * k], k);
  for (int64_t i = 0; i < m; i++) {
    float scale = rounded(x + i * k, a.data(), k);
    for (int64_t j = 0; j < n; j++) {
      int32_t sum = 0;
      for (int64_t l = 0; l < k; l++) sum += a[l] * b[j * k + l];
      y[i * n + j] = sum * scale * scales[j];
    }
  }
}
""")


def product(x, w):
    x, w = x.contiguous(), w.contiguous()
    y = torch.empty(x.shape[0], w.shape[0])
    lib.run(x, w, y, x.shape[0], w.shape[0], x.shape[1])
    return y


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        return product(product(x, self.down.weight), self.up.weight)
