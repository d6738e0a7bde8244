"""Two outputs in one piece of shared memory, one after the other, new for each call; another mapping of it is only looked at.

task: relu_twice
"""

import mmap

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void relu(const float* x, float* y, float* z, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = z[i] = x[i] < 0 ? 0 : x[i];
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        room = torch.frombuffer(mmap.mmap(-1, 8 * x.numel()), dtype=torch.float32)
        one, other = room.view(2, *x.shape)
        lib.relu(x, one, other, x.numel())
        return one, other
