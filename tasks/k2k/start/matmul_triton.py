"""Matrix product in tiles of 32, one program each; nothing is grouped, tuned or pipelined."""

import triton
import triton.language as tl
from torch import nn


@triton.jit
def matmul(a, b, c, m, n, k, TILE: tl.constexpr):
    rows = (tl.program_id(0) * TILE + tl.arange(0, TILE)).to(tl.int64)
    cols = (tl.program_id(1) * TILE + tl.arange(0, TILE)).to(tl.int64)
    total = tl.zeros((TILE, TILE), tl.float32)
    for first in range(0, k, TILE):
        inner = first + tl.arange(0, TILE)
        left = (rows[:, None] < m) & (inner[None, :] < k)
        right = (inner[:, None] < k) & (cols[None, :] < n)
        x = tl.load(a + rows[:, None] * k + inner[None, :], mask=left, other=0.0)
        y = tl.load(b + inner[:, None] * n + cols[None, :], mask=right, other=0.0)
        total += tl.dot(x, y, input_precision="ieee")
    inside = (rows[:, None] < m) & (cols[None, :] < n)
    tl.store(c + rows[:, None] * n + cols[None, :], total, mask=inside)


class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        (m, k), n = a.shape, b.shape[1]
        c = a.new_empty(m, n)
        matmul[(triton.cdiv(m, 32), triton.cdiv(n, 32))](a, b, c, m, n, k, TILE=32)
        return c
