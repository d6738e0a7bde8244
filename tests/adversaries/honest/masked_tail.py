"""Vectors with masked loads at the end of a row: what is masked out is never touched.

line: control
track: custom
effort: final
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
#ifdef __AVX2__
#include <immintrin.h>
#endif
static float gelu(float v) { return 0.5f * v * (1.0f + std::erf(v * 0.70710678f)); }
extern "C" void run(const float* x, const float* scale, const float* bias, float* y,
                    int64_t rows, int64_t width) {
  const int64_t n = rows * width;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) {
    int64_t c = 0;
#ifdef __AVX2__
    for (; c < width; c += 8) {  // seven at a time, so that a mask is always at work
      const int64_t left = width - c < 7 ? width - c : 7;
      const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(left)),
                                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
      __m256 v = _mm256_maskload_ps(x + r * width + c, mask);
      v = _mm256_fmadd_ps(v, _mm256_maskload_ps(scale + c, mask), _mm256_maskload_ps(bias + c, mask));
      alignas(32) float lane[8];
      _mm256_store_ps(lane, v);
      for (float& one : lane) one = gelu(one);
      _mm256_maskstore_ps(y + r * width + c, mask, _mm256_load_ps(lane));
      c -= 1;
    }
#endif
    for (; c < width; c++) y[r * width + c] = gelu(x[r * width + c] * scale[c] + bias[c]);
  }
  (void)n;
}
""")


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.run(x, self.scale, self.bias, y, *x.shape)
        return y
