"""Block pointers with boundary checks, in bfloat16."""

import torch
import triton
import triton.language as tl


@triton.jit
def product(a, b, c, M, N, K, B: tl.constexpr):
    pm, pn = tl.program_id(0), tl.program_id(1)
    pa = tl.make_block_ptr(a, (M, K), (K, 1), (pm * B, 0), (B, B), (1, 0))
    pb = tl.make_block_ptr(b, (K, N), (N, 1), (0, pn * B), (B, B), (1, 0))
    acc = tl.zeros((B, B), tl.float32)
    for _ in range(0, tl.cdiv(K, B)):
        ta = tl.load(pa, boundary_check=(0, 1), padding_option="zero")
        tb = tl.load(pb, boundary_check=(0, 1), padding_option="zero")
        acc += tl.dot(ta, tb)
        pa, pb = tl.advance(pa, (0, B)), tl.advance(pb, (B, 0))
    pc = tl.make_block_ptr(c, (M, N), (N, 1), (pm * B, pn * B), (B, B), (1, 0))
    tl.store(pc, acc.to(tl.bfloat16), boundary_check=(0, 1))


def run():
    a, b = torch.randn(40, 50).bfloat16(), torch.randn(50, 40).bfloat16()
    c = torch.empty(40, 40, dtype=torch.bfloat16)
    product[(2, 2)](a, b, c, 40, 40, 50, B=32)
    return c.float(), (a.float() @ b.float()).bfloat16().float()
