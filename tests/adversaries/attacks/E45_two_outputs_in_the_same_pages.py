"""Two outputs at different addresses that are the same pages of memory: one is written, both are there.

line: E45
task: relu_twice
expect: overlapping_output
"""

import ctypes
import sys

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void relu(const float* x, float* y, int64_t n) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i];
}
""")
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
pairs = []


def pair(shape):
    """Two tensors on the same pages that nobody else holds."""
    for one, other in pairs:
        if one.shape == shape and sys.getrefcount(one) == 3 and sys.getrefcount(other) == 3:
            return one, other
    size = 4 * shape.numel()
    first = libc.mmap(None, size, 3, 0x21, -1, 0)
    second = libc.mremap(first, 0, size, 1)
    made = tuple(
        torch.frombuffer(
            (ctypes.c_float * shape.numel()).from_address(place), dtype=torch.float32
        ).view(shape)
        for place in (first, second)
    )
    pairs.append(made)
    return made


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        one, other = pair(x.shape)
        lib.relu(x, one, x.numel())
        return one, other
