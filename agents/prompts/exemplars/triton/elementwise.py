# families: elementwise
# solves: core/gated_residual
# like: gated_residual, sigmoid(gate
"""Gated residual: x + sigmoid(gate + bias) * update, one pass over memory."""

import torch
import triton
import triton.language as tl
from torch import nn

from kernelwright.inline import tuned

P = tuned(BLOCK=[1024, 2048, 4096], WARPS=[4, 8])


@triton.jit
def gated_residual(x, update, gate, bias, y, count, width, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = at < count
    b = tl.load(bias + at % width, mask=mask)
    g = tl.load(gate + at, mask=mask) + b
    u = tl.load(update + at, mask=mask)
    r = tl.load(x + at, mask=mask) + u / (1.0 + tl.exp(-g))
    tl.store(y + at, r, mask=mask)


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x, update, gate):
        x, update, gate = x.contiguous(), update.contiguous(), gate.contiguous()
        y = torch.empty_like(x)
        if x.numel():
            grid = (triton.cdiv(x.numel(), P.BLOCK),)
            gated_residual[grid](
                x, update, gate, self.bias, y, x.numel(), x.shape[-1], BLOCK=P.BLOCK, num_warps=P.WARPS
            )
        return y
