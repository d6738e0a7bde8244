"""RMS norm, a program for each row, which it reads twice."""

import torch
import triton
import triton.language as tl
from torch import nn


@triton.jit
def rms_norm(x, weight, y, width, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * width
    squares = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, width, BLOCK):
        at = first + tl.arange(0, BLOCK)
        v = tl.load(x + row + at, mask=at < width, other=0.0)
        squares += v * v
    scale = 1.0 / tl.sqrt(tl.sum(squares, axis=0) / width + eps)
    for first in range(0, width, BLOCK):
        at = first + tl.arange(0, BLOCK)
        mask = at < width
        v = tl.load(x + row + at, mask=mask, other=0.0)
        w = tl.load(weight + at, mask=mask, other=0.0)
        tl.store(y + row + at, v * scale * w, mask=mask)


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        width = x.shape[-1]
        rms_norm[(x.numel() // width,)](x, self.weight.contiguous(), y, width, 1e-6, BLOCK=256)
        return y
