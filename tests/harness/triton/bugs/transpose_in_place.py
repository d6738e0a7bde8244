"""Tiles are written to places that other programs have yet to read."""

import torch
import triton
import triton.language as tl


@triton.jit
def transpose(x, N: tl.constexpr, B: tl.constexpr):
    r = tl.program_id(0) * B + tl.arange(0, B)
    c = tl.program_id(1) * B + tl.arange(0, B)
    v = tl.load(x + r[:, None] * N + c[None, :])
    tl.store(x + c[:, None] * N + r[None, :], tl.trans(v))  # BUG race


def run():
    x = torch.randn(32, 32)
    want = x.t().clone()
    transpose[(2, 2)](x, N=32, B=16)
    return x, want
