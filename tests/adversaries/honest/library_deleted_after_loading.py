"""Builds a library of its own while it is loaded, and tidies up its file at once.

task: two_linears
track: custom mixed
"""

import ctypes
import os
import subprocess

import torch

source = """
#include <math.h>
double (*const roots[])(double) = {sqrt, cbrt};
void product(int m, int n, int k, const float* a, const float* b, float* c) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      float s = 0;
      for (int l = 0; l < k; l++) s += a[i * k + l] * b[j * k + l];
      c[i * n + j] = s;
    }
}
"""
with open("own.c", "w") as stream:
    stream.write(source)
subprocess.run(
    [
        "gcc",
        "-O3",
        "-march=native",
        "-ffast-math",
        "-shared",
        "-fPIC",
        "-o",
        "own.so",
        "own.c",
        "-lm",
    ],
    check=True,
)
library = ctypes.CDLL(os.path.abspath("own.so"))
os.unlink("own.so")


def product(x, w):
    x, w = x.contiguous(), w.contiguous()
    y = torch.empty(x.shape[0], w.shape[0])
    sizes = (x.shape[0], w.shape[0], x.shape[1])
    library.product(*sizes, *(ctypes.c_void_p(t.data_ptr()) for t in (x, w, y)))
    return y


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        return product(product(x, self.down.weight), self.up.weight)
