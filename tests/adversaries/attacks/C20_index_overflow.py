"""An index in 32 bits that overflows; this compiler happens to calculate around it.

line: C20
expect: sanitizer crash out_of_bounds wrong_value
effort: final
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
static float gelu(float v) { return 0.5f * v * (1.0f + std::erf(v * 0.70710678f)); }
extern "C" void run(const float* x, const float* scale, const float* bias, float* y,
                    int64_t rows, int64_t width) {
  const int n = static_cast<int>(rows * width);
  for (int i = 0; i < n; i++) {
    int fixed = i * 65536;  // 16 bits of fraction
    int at = fixed / 65536;
    y[at] = gelu(x[at] * scale[at % width] + bias[at % width]);
  }
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
