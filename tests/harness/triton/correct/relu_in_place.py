"""Each program reads and writes its own elements only."""

import torch
import triton
import triton.language as tl


@triton.jit
def relu(x, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(x + i, tl.maximum(tl.load(x + i, mask=i < n), 0.0), mask=i < n)


def run():
    x = torch.randn(300)
    want = x.relu()
    relu[(5,)](x, 300, B=64)
    return x, want
