# families: rows, reduction
# solves: core/l2_normalize
# like: l2_normalize, F.normalize
"""Rows divided by their Euclidean norm: a row a program, read once, kept in registers."""

import torch
import triton
import triton.language as tl
from torch import nn

from kernelwright.inline import tuned

P = tuned(WARPS=[4, 2, 8])


@triton.jit
def normalize_rows(x, y, n, least, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * n
    at = tl.arange(0, BLOCK)
    mask = at < n
    v = tl.load(x + row + at, mask=mask, other=0.0)
    norm = tl.sqrt(tl.sum(v * v, axis=0))
    norm = tl.where(norm < least, least, norm)  # NaN stays NaN
    tl.store(y + row + at, v / norm, mask=mask)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        n = x.shape[-1]
        if x.numel():
            block = triton.next_power_of_2(n)
            normalize_rows[(x.numel() // n,)](x, y, n, 1e-12, BLOCK=block, num_warps=P.WARPS)
        return y
