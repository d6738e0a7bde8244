"""The offset wraps around in int8 and points before the tensor."""

import torch
import triton
import triton.language as tl


@triton.jit
def copy(x, y, B: tl.constexpr):
    start = (tl.program_id(0) * B).to(tl.int8)
    i = start + tl.arange(0, B).to(tl.int8)
    tl.store(y + i, tl.load(x + i))  # BUG out_of_bounds


def run():
    x = torch.randn(192)
    y = torch.empty_like(x)
    copy[(6,)](x, y, B=32)
    return y, x
