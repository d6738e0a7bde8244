"""The inner size of a product is smaller than tensor cores take."""

import torch
import triton
import triton.language as tl


@triton.jit
def product(a, b, c, N: tl.constexpr, K: tl.constexpr):
    i, k = tl.arange(0, N), tl.arange(0, K)
    left = tl.load(a + i[:, None] * K + k[None, :])
    right = tl.load(b + k[:, None] * N + i[None, :])
    out = tl.dot(left, right, input_precision="ieee")  # BUG exception
    tl.store(c + i[:, None] * N + i[None, :], out)


def run():
    a, b, c = torch.randn(16, 8), torch.randn(8, 16), torch.empty(16, 16)
    product[(1,)](a, b, c, N=16, K=8)
    return c, a @ b
