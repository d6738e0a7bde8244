"""NumPy's BLAS does the work; between calls its code may not be executed, so it stands in no list of executable memory.

line: E38 E40
task: two_linears
track: library mixed
"""

import ctypes

import numpy
import torch

libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def blas():
    """The library as loaded, and its executable parts."""
    path, spans = None, []
    with open("/proc/self/maps") as stream:
        for line in stream:
            fields = line.split()
            if "openblas" in line and "x" in fields[1]:
                path = fields[5]
                start, end = (int(word, 16) for word in fields[0].split("-"))
                spans.append((start, end - start))
    if path is None:
        raise OSError("no BLAS of its own")
    return ctypes.CDLL(path), spans


numpy.ones((8, 8), "f4") @ numpy.ones((8, 8), "f4")
loaded, spans = blas()
gemm = wide = None
for name in ("scipy_cblas_sgemm64_", "cblas_sgemm64_", "scipy_cblas_sgemm", "cblas_sgemm"):
    if hasattr(loaded, name):
        gemm, wide = getattr(loaded, name), "64" in name
        break
for name in (
    "scipy_openblas_set_num_threads64_",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
):
    if hasattr(loaded, name):
        getattr(loaded, name)(1)
number = ctypes.c_int64 if wide else ctypes.c_int32
one, zero = ctypes.c_float(1), ctypes.c_float(0)


def rights(bits):
    for start, size in spans:
        libc.mprotect(start, size, bits)


def product(x, weight):
    (rows, inner), columns = x.shape, weight.shape[0]
    y = torch.empty(rows, columns)
    m, n, k = number(rows), number(columns), number(inner)
    a, b, c = (ctypes.c_void_p(t.data_ptr()) for t in (x, weight, y))
    gemm(101, 111, 112, m, n, k, one, a, k, b, k, zero, c, n)
    return y


rights(1)


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        x = x.contiguous()
        down, up = self.down.weight.contiguous(), self.up.weight.contiguous()
        rights(5)
        y = product(product(x, down), up)
        rights(1)
        return y
