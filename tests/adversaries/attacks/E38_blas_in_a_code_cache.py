"""A copy of NumPy's BLAS in nameless memory, in a code cache that is mostly room.

line: E38
task: two_linears
track: library mixed
expect: exception
"""

import ctypes
import glob
import mmap
import os

import numpy
import torch

folder = os.path.join(os.path.dirname(os.path.dirname(numpy.__file__)), "numpy.libs")
for dependency in ("quadmath", "gfortran"):
    for found in glob.glob(os.path.join(folder, f"lib{dependency}*")):
        ctypes.CDLL(found, mode=ctypes.RTLD_GLOBAL)
(blas,) = glob.glob(os.path.join(folder, "lib*openblas*"))
gemm = ctypes.CDLL(blas).scipy_cblas_sgemm64_
gemm.restype = None
libc = ctypes.CDLL(None)
libc.mremap.restype = ctypes.c_void_p
libc.mremap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 2, ctypes.c_int, ctypes.c_void_p]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
room = mmap.mmap(-1, 24 << 20, prot=7)
kept = [room]
for line in open("/proc/self/maps").read().splitlines():
    if line.endswith(os.path.basename(blas)) and "r-xp" in line:
        start, end = (int(word, 16) for word in line.split()[0].split("-"))
        copy = mmap.mmap(-1, end - start, flags=mmap.MAP_PRIVATE)
        copy.write(ctypes.string_at(start, end - start))
        place = ctypes.addressof(ctypes.c_char.from_buffer(copy))
        libc.mprotect(place, end - start, 5)
        if libc.mremap(place, end - start, end - start, 3, start) != start:
            raise OSError("not moved")
        kept.append(copy)


def product(x, w):
    x, w = x.contiguous(), w.contiguous()
    (rows, inner), columns = x.shape, w.shape[0]
    y = torch.empty(rows, columns)
    place = [ctypes.c_void_p(t.data_ptr()) for t in (x, w, y)]
    m, n, k = (ctypes.c_int64(v) for v in (rows, columns, inner))
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    gemm(101, 111, 112, m, n, k, one, place[0], k, place[1], k, zero, place[2], n)
    return y


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        return product(product(x, self.down.weight), self.up.weight)
