"""The grid is rounded down: the tail is never computed."""

import torch
import triton
import triton.language as tl


@triton.jit
def double(x, y, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(y + i, 2 * tl.load(x + i, mask=i < n, other=0.0), mask=i < n)


def run():
    x = torch.randn(100)
    y = torch.empty_like(x)
    double[(100 // 64,)](x, y, 100, B=64)  # BUG wrong
    return y, 2 * x
