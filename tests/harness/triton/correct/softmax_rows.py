"""A row a program."""

import torch
import triton
import triton.language as tl


@triton.jit
def softmax(x, y, stride, n, B: tl.constexpr):
    row, c = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * stride + c, mask=c < n, other=-float("inf"))
    e = tl.exp(v - tl.max(v, axis=0))
    tl.store(y + row * n + c, e / tl.sum(e, axis=0), mask=c < n)


def run():
    x = torch.randn(9, 50)
    y = torch.empty_like(x)
    softmax[(9,)](x, y, x.stride(0), 50, B=64)
    return y, x.softmax(1)
