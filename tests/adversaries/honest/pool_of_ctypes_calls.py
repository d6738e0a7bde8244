"""A pool of Python's threads, each of which calls the kernel for a quarter of the rows.

line: control
track: custom
"""

import concurrent.futures

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

pool = concurrent.futures.ThreadPoolExecutor(4)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        rows, width = x.shape
        places = x.data_ptr(), self.scale.data_ptr(), self.bias.data_ptr(), y.data_ptr()

        def part(n):
            first, last = rows * n // 4, rows * (n + 1) // 4
            skip = 4 * first * width
            lib.bias_gelu(
                places[0] + skip, places[1], places[2], places[3] + skip, last - first, width
            )

        list(pool.map(part, range(4)))
        return y
