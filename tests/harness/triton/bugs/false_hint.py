"""The compiler is promised a multiple of 16 that is none."""

import torch
import triton
import triton.language as tl


@triton.jit
def copy(x, y, start, n, B: tl.constexpr):
    start = tl.multiple_of(start, 16)  # BUG wrong_hint
    i = start + tl.arange(0, B)
    tl.store(y + i, tl.load(x + i, mask=i < n, other=0.0), mask=i < n)


def run():
    x = torch.randn(100)
    y = torch.zeros(100)
    copy[(1,)](x, y, 5, 100, B=128)
    return y[5:], x[5:]
