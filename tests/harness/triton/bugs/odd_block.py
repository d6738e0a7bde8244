"""A block of 100 lanes: sizes are powers of two."""

import torch
import triton
import triton.language as tl


@triton.jit
def double(x, y, B: tl.constexpr):
    i = tl.arange(0, B)  # BUG exception
    tl.store(y + i, 2 * tl.load(x + i))


def run():
    x = torch.randn(100)
    y = torch.empty_like(x)
    double[(1,)](x, y, B=100)
    return y, 2 * x
