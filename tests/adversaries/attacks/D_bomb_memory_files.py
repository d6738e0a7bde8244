"""Takes memory that is in no address space: files in memory, sealed pairs of sockets full of bytes.

line: D bombs: memory
expect: exception
again: yes
"""

import os
import socket

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


held = []
try:
    for n in range(400):
        held.append(os.memfd_create(f"bomb{n}"))
        os.write(held[-1], bytes(200 << 20))
except OSError:
    pass
try:
    for _ in range(200):
        pair = socket.socketpair()
        held.append(pair)
        pair[0].send(bytes(100_000))
except OSError:
    pass
if not held:
    raise PermissionError("no memory but its own")


class ModelNew(Honest):
    pass
