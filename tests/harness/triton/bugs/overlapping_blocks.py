"""Blocks overlap, and the programs write different values where they do."""

import torch
import triton
import triton.language as tl


@triton.jit
def tag(x, y, n, STEP: tl.constexpr, B: tl.constexpr):
    pid = tl.program_id(0)
    i = pid * STEP + tl.arange(0, B)
    v = tl.load(x + i, mask=i < n, other=0.0)
    tl.store(y + i, v + pid, mask=i < n)  # BUG race


def run():
    x = torch.randn(100)
    y = torch.empty_like(x)
    tag[(4,)](x, y, 100, STEP=30, B=32)
    return y, x + (torch.arange(100) // 30)
