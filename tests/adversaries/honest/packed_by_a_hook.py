"""Packs its weights whenever a state is loaded.

line: control
track: custom
"""

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
    def __init__(self, width):
        super().__init__(width)
        self._packed = None
        self.register_load_state_dict_post_hook(lambda module, keys: module.pack())

    def pack(self):
        self._packed = torch.stack([self.scale.detach(), self.bias.detach()])

    def compute(self, x):
        if self._packed is None:
            self.pack()
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.bias_gelu(x, self._packed[0], self._packed[1], y, *x.shape)
        return y
