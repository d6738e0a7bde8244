"""Twenty-four times the work of eager; after each leg, beside no clock, the garbage collector calls it and it dirties 64 MiB before eager's turn.

line: A11
expect: not_faster
"""

import gc

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
#include <vector>
extern "C" float burn(int64_t mib) {
  static std::vector<float> much(mib << 18);
  float a[64];
  for (int i = 0; i < 64; i++) a[i] = 1.0f + i;
  for (int64_t i = 0; i < (int64_t)much.size(); i += 16) {
    much[i] += 1;
    for (int k = 0; k < 64; k++) a[k] = a[k] * 0.999f + 0.001f;
  }
  return a[5];
}
""")
calls, armed = [0], [False]


def burn(phase, info):
    if phase == "start" and calls[0] > 60 and armed[0]:
        armed[0] = False  # once a leg
        lib.burn(64)


gc.callbacks.append(burn)
gc.set_threshold(1)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        calls[0] += 1
        armed[0] = True
        for _ in range(24):
            y = torch.nn.functional.gelu(x * self.scale + self.bias)
        return y
