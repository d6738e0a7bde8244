"""Subclasses nn.Linear for its parameters only.

line: control
task: two_linears
track: custom
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
extern "C" void product(const float* x, const float* w, float* y, int rows, int inner, int columns) {
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) {
      float sum = 0;
      for (int k = 0; k < inner; k++) sum += x[r * inner + k] * w[c * inner + k];
      y[r * columns + c] = sum;
    }
}
""")


class Layer(torch.nn.Linear):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape[0], self.out_features)
        lib.product(x, self.weight, y, x.shape[0], self.in_features, self.out_features)
        return y


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = Layer(width, rank, bias=False)
        self.up = Layer(rank, width, bias=False)

    def forward(self, x):
        return self.up(self.down(x))
