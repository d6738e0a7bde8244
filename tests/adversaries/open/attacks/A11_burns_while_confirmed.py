"""Six times the work of eager; when the harness asks for strides after a leg it dirties 64 MiB and runs wide multiplications, beside no clock, before eager's turn.

line: A11
expect: not_faster
why: still counts as faster than it is. Worker.batch thaws the process after done until it has answered regions; stride, by which it noticed that, is bound before a candidate is there, so what is left is not known.
"""

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
stride = torch.Tensor.stride
asked = [0]


def slow(self, *args):
    asked[0] += 1
    if asked[0] % 8 == 0:
        lib.burn(64)
    return stride(self, *args)


torch.Tensor.stride = slow


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        for _ in range(6):
            y = torch.nn.functional.gelu(x * self.scale + self.bias)
        return y
