"""Calls the BLAS inside torch by its symbol.

line: E38
task: two_linears
track: library mixed
"""

import ctypes
import os

import torch


def gemm_symbol():
    folder = os.path.join(os.path.dirname(torch.__file__), "lib")
    for name in sorted(os.listdir(folder)):
        if name.startswith("libtorch_cpu"):
            return ctypes.CDLL(os.path.join(folder, name)).sgemm_
    raise OSError("no BLAS")


gemm = gemm_symbol()


def product(x, weight):
    x, weight = x.contiguous(), weight.contiguous()
    (rows, inner), columns = x.shape, weight.shape[0]
    y = torch.empty(rows, columns)
    m, n, k = (ctypes.c_int(v) for v in (columns, rows, inner))
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    a, b, c = (ctypes.c_void_p(t.data_ptr()) for t in (weight, x, y))
    ref = ctypes.byref
    gemm(b"T", b"N", ref(m), ref(n), ref(k), ref(one), a, ref(k), b, ref(k), ref(zero), c, ref(m))
    return y


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        return product(product(x, self.down.weight), self.up.weight)
