"""Neighbours of other programs are read while those programs overwrite them."""

import torch
import triton
import triton.language as tl


@triton.jit
def smooth(x, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    here = tl.load(x + i, mask=i < n, other=0.0)
    right = tl.load(x + i + 1, mask=i + 1 < n, other=0.0)
    tl.store(x + i, here + right, mask=i < n)  # BUG race


def run():
    x = torch.randn(128)
    want = x + torch.cat([x[1:], torch.zeros(1)])
    smooth[(4,)](x, 128, B=32)
    return x, want
