"""K is no multiple of the block, and the loop does not mask its tail."""

import torch
import triton
import triton.language as tl


@triton.jit
def dot(a, b, y, n, B: tl.constexpr):
    total = 0.0
    for begin in range(0, n, B):
        i = begin + tl.arange(0, B)
        total += tl.sum(tl.load(a + i) * tl.load(b + i), axis=0)  # BUG out_of_bounds
    tl.store(y, total)


def run():
    a, b, y = torch.randn(100), torch.randn(100), torch.empty(1)
    dot[(1,)](a, b, y, 100, B=32)
    return y, (a * b).sum().view(1)
