"""Every second column of a larger tensor."""

import torch
import triton
import triton.language as tl


@triton.jit
def row_sums(x, y, rows, cols, n, B: tl.constexpr):
    row, c = tl.program_id(0), tl.arange(0, B)
    v = tl.load(x + row * rows + c * cols, mask=c < n, other=0.0)
    tl.store(y + row, tl.sum(v, axis=0))


def run():
    x = torch.randn(6, 60)[:, ::2]
    y = torch.empty(6)
    row_sums[(6,)](x, y, *x.stride(), 30, B=32)
    return y, x.sum(1)
