"""Every program reads, adds and writes the same element."""

import torch
import triton
import triton.language as tl


@triton.jit
def total(x, y, B: tl.constexpr):
    v = tl.sum(tl.load(x + tl.program_id(0) * B + tl.arange(0, B)), axis=0)
    so_far = tl.load(y)  # BUG race
    tl.store(y, so_far + v)


def run():
    x, y = torch.randn(256), torch.zeros(1)
    total[(4,)](x, y, B=64)
    return y, x.sum().view(1)
