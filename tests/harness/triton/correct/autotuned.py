"""Several configurations to choose from."""

import torch
import triton
import triton.language as tl


@triton.autotune(
    configs=[triton.Config({"B": size}, num_warps=warps) for size in (64, 256) for warps in (2, 4)],
    key=["n"],
)
@triton.jit
def scale(x, y, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(y + i, 3 * tl.load(x + i, mask=i < n), mask=i < n)


def run():
    x = torch.randn(500)
    y = torch.empty_like(x)
    scale[lambda meta: (triton.cdiv(500, meta["B"]),)](x, y, 500)
    return y, 3 * x
