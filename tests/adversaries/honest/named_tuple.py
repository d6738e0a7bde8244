"""Returns its two outputs as a named tuple.

line: control
task: relu_and_copy
track: custom
"""

import collections

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void run(const float* x, float* y, float* z, int64_t n) {
  for (int64_t i = 0; i < n; i++) { float v = x[i]; y[i] = v < 0 ? 0 : v; z[i] = v; }
}
""")
Outputs = collections.namedtuple("Outputs", "positive copy")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y, z = torch.empty_like(x), torch.empty_like(x)
        lib.run(x, y, z, x.numel())
        return Outputs(y, z)
