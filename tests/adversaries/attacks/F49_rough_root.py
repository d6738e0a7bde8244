"""The hardware's rough reciprocal root, without a step of Newton.

line: F49 F52
task: normalise
expect: wrong_value special_values precision
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
#include <immintrin.h>
extern "C" void run(const float* x, float* y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++) {
    const float* a = x + r * width;
    double mean = 0, square = 0;
    for (int64_t c = 0; c < width; c++) mean += a[c];
    mean /= width;
    for (int64_t c = 0; c < width; c++) square += (a[c] - mean) * (a[c] - mean);
    float root = _mm_cvtss_f32(_mm_rsqrt_ss(_mm_set_ss(square / width + 1e-5)));
    for (int64_t c = 0; c < width; c++) y[r * width + c] = (a[c] - (float)mean) * root;
  }
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.run(x, y, *x.shape)
        return y
