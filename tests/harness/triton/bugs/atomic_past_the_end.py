"""A histogram with one bin too few."""

import torch
import triton
import triton.language as tl


@triton.jit
def histogram(x, bins, n, B: tl.constexpr):
    i = tl.arange(0, B)
    v = tl.load(x + i, mask=i < n, other=0)
    tl.atomic_add(bins + v, 1, mask=i < n)  # BUG out_of_bounds


def run():
    x = torch.arange(50, dtype=torch.int32) % 11
    bins = torch.zeros(10, dtype=torch.int32)
    histogram[(1,)](x, bins, 50, B=64)
    return bins, torch.bincount(x, minlength=10)[:10].int()
