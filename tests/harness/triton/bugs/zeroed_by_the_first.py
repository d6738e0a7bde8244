"""Program 0 sets the sum to zero while others may already have added to it."""

import torch
import triton
import triton.language as tl


@triton.jit
def total(x, y, B: tl.constexpr):
    pid = tl.program_id(0)
    if pid == 0:
        tl.store(y, 0.0)
    tl.atomic_add(y, tl.sum(tl.load(x + pid * B + tl.arange(0, B)), axis=0))  # BUG race


def run():
    x, y = torch.randn(256), torch.ones(1)
    total[(4,)](x, y, B=64)
    return y, x.sum().view(1)
