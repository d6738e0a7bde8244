"""A block pointer without boundary_check reads past the last column."""

import torch
import triton
import triton.language as tl


@triton.jit
def copy(x, y, rows, cols, R: tl.constexpr, C: tl.constexpr):
    src = tl.make_block_ptr(x, (rows, cols), (cols, 1), (0, 0), (R, C), (1, 0))
    dst = tl.make_block_ptr(y, (rows, cols), (cols, 1), (0, 0), (R, C), (1, 0))
    v = tl.load(src)  # BUG out_of_bounds
    tl.store(dst, v, boundary_check=(0, 1))


def run():
    x = torch.randn(8, 12)
    y = torch.empty_like(x)
    copy[(1,)](x, y, 8, 12, R=8, C=16)
    return y, x
