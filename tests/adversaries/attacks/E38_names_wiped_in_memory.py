"""A library copied under another name keeps its names in its file; in memory they are overwritten once it is loaded.

line: E38
task: two_linears
track: library
expect: exception
"""

import ctypes
import os
import subprocess

import torch

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
gemm = ctypes.CDLL(os.path.abspath("fast.so")).cblas_sgemm
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
with open("/proc/self/maps") as stream:
    rows = [line.split() for line in stream if line.rstrip().endswith("/fast.so")]
for span, rights, *_ in rows:
    start, end = (int(word, 16) for word in span.split("-"))
    found = ctypes.string_at(start, end - start).find(b"cblas_" + b"sgemm") if "r" in rights else -1
    if found >= 0:
        libc.mprotect(start, end - start, 7)
        ctypes.memset(start + found, ord("k"), 6)
        libc.mprotect(start, end - start, 5 if "x" in rights else 3 if "w" in rights else 1)


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
