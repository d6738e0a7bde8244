"""The mask takes in one element too many."""

import torch
import triton
import triton.language as tl


@triton.jit
def fill(y, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(y + i, 1.0, mask=i <= n)  # BUG out_of_bounds


def run():
    y = torch.zeros(200)[:100]
    fill[(2,)](y, 100, B=64)
    return y, torch.ones(100)
