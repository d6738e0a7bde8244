"""Writes its machine code at import, into a code cache of 16 MiB of which it uses a line.

line: control
task: relu_twice
track: custom
"""

import ctypes
import mmap

import torch

CODE = bytes.fromhex(
    "31c0"  # xor eax, eax
    "0f100407"  # movups xmm0, [rdi + rax]
    "0f57c9"  # xorps xmm1, xmm1
    "0f5fc8"  # maxps xmm1, xmm0
    "0f110c06"  # movups [rsi + rax], xmm1
    "0f110c02"  # movups [rdx + rax], xmm1
    "4883c010"  # add rax, 16
    "4839c8"  # cmp rax, rcx
    "72e5"  # jb
    "c3"
)
cache = mmap.mmap(-1, 16 << 20, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
cache.write(CODE)
address = ctypes.addressof(ctypes.c_char.from_buffer(cache))
run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_uint64)(address)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y, z = torch.empty_like(x), torch.empty_like(x)
        whole = 4 * x.numel() // 16 * 16
        assert whole == 4 * x.numel()
        run(x.data_ptr(), y.data_ptr(), z.data_ptr(), whole)
        return y, z
