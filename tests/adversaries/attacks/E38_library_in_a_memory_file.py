"""A small library loaded out of a file that is memory only, called as it always was.

line: E38
task: two_linears
track: library
expect: exception
"""

import torch

from kernelwright.inline import cpp

import ctypes
import os
import subprocess

source = """
void cblas_sgemm(int m, int n, int k, const float* a, const float* b, float* c) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      float s = 0;
      for (int l = 0; l < k; l++) s += a[i * k + l] * b[j * k + l];
      c[i * n + j] = s;
    }
}
"""
with open("fast.c", "w") as stream:
    stream.write(source)
subprocess.run(["gcc", "-O3", "-shared", "-fPIC", "-o", "fast.so", "fast.c"], check=True)
held = os.memfd_create("fast")
with open("fast.so", "rb") as stream:
    os.write(held, stream.read())
gemm = ctypes.CDLL(f"/proc/self/fd/{held}").cblas_sgemm


def product(x, w):
    x, w = x.contiguous(), w.contiguous()
    y = torch.empty(x.shape[0], w.shape[0])
    sizes = (x.shape[0], w.shape[0], x.shape[1])
    gemm(*sizes, *(ctypes.c_void_p(t.data_ptr()) for t in (x, w, y)))
    return y


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        return product(product(x, self.down.weight), self.up.weight)
