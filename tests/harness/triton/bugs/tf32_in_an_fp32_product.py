"""A product that should be fp32 is computed in TF32, the default."""

import torch
import triton
import triton.language as tl


@triton.jit
def product(a, b, c, N: tl.constexpr):
    i = tl.arange(0, N)
    at = i[:, None] * N + i[None, :]
    tl.store(c + at, tl.dot(tl.load(a + at), tl.load(b + at)))  # BUG wrong


def run():
    a, b, c = torch.randn(64, 64), torch.randn(64, 64), torch.empty(64, 64)
    product[(1,)](a, b, c, N=64)
    return c, a @ b
