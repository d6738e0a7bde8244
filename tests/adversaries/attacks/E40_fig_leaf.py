"""A kernel of its own copies a few numbers; the library multiplies.

line: E40
task: two_linears
track: library mixed
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
extern "C" void touch(const float* x, float* y, int n) {
  for (int i = 0; i < n; i++) y[i] = x[i] * 1.0f;
}
""")


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        y = self.up(self.down(x))
        lib.touch(y.clone(), y, 64)
        return y
