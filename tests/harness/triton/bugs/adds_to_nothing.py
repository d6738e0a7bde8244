"""The output is added to, but nobody has set it."""

import torch
import triton
import triton.language as tl


@triton.jit
def add(x, y, n, B: tl.constexpr):
    i = tl.arange(0, B)
    so_far = tl.load(y + i, mask=i < n, other=0.0)  # BUG uninitialised
    tl.store(y + i, so_far + tl.load(x + i, mask=i < n, other=0.0), mask=i < n)


def run():
    x = torch.randn(60)
    y = torch.empty(60)
    add[(1,)](x, y, 60, B=64)
    return y, x
