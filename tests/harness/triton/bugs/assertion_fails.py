"""The kernel's own assertion does not hold."""

import torch
import triton
import triton.language as tl


@triton.jit
def look_up(table, at, y, n, B: tl.constexpr):
    i = tl.arange(0, B)
    index = tl.load(at + i)
    tl.device_assert(index < n, "index too large")  # BUG exception
    tl.store(y + i, tl.load(table + index, mask=index < n, other=0.0))


def run():
    table, y = torch.randn(10), torch.empty(16)
    at = torch.arange(16)
    look_up[(1,)](table, at, y, 10, B=16)
    return y, table[at.clamp(max=9)]
