"""Triton does both products; PyTorch allocates and transposes.

line: control
task: two_linears
track: custom
deadline: 240
"""

import torch
import triton
import triton.language as tl


@triton.jit
def product(x, w, y, rows, inner, columns, R: tl.constexpr, K: tl.constexpr, C: tl.constexpr):
    r = tl.program_id(0) * R + tl.arange(0, R)
    c = tl.program_id(1) * C + tl.arange(0, C)
    inside = (r < rows)[:, None] & (c < columns)[None, :]
    total = tl.zeros((R, C), dtype=tl.float32)
    for first in range(0, inner, K):
        k = first + tl.arange(0, K)
        a = tl.load(
            x + r[:, None] * inner + k[None, :],
            mask=(r < rows)[:, None] & (k < inner)[None, :],
            other=0.0,
        )
        b = tl.load(
            w + c[None, :] * inner + k[:, None],
            mask=(c < columns)[None, :] & (k < inner)[:, None],
            other=0.0,
        )
        total += tl.dot(a, b, input_precision="ieee")
    tl.store(y + r[:, None] * columns + c[None, :], total, mask=inside)


def linear(x, w):
    y = torch.empty(x.shape[0], w.shape[0], dtype=x.dtype, device=x.device)
    grid = (triton.cdiv(x.shape[0], 64), triton.cdiv(w.shape[0], 64))
    product[grid](x, w, y, x.shape[0], x.shape[1], w.shape[0], R=64, K=64, C=64)
    return y


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        return linear(linear(x.contiguous(), self.down.weight), self.up.weight)
