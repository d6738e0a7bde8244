"""A long sum is kept in bfloat16."""

import torch
import triton
import triton.language as tl


@triton.jit
def total(x, y, n, B: tl.constexpr):
    so_far = tl.zeros((B,), tl.bfloat16)
    for begin in range(0, n, B):
        so_far += tl.load(x + begin + tl.arange(0, B))
    tl.store(y, tl.sum(so_far.to(tl.float32), axis=0))  # BUG wrong


def run():
    x, y = torch.rand(4096).bfloat16(), torch.empty(1)
    total[(1,)](x, y, 4096, B=64)
    return y, x.float().sum().view(1)
