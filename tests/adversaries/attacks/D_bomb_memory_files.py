"""Takes memory that is in no address space: files in memory, sealed pairs of sockets full of bytes.

line: D bombs: memory
expect: exception
again: yes
"""

import contextlib
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


held, size = [], 0
try:
    for n in range(400):
        held.append(os.memfd_create(f"bomb{n}"))
        size += os.write(held[-1], bytes(200 << 20))
except OSError:
    pass
try:
    for _ in range(250):
        pair = socket.socketpair()
        held.append(pair)
        for end in pair:
            end.setblocking(False)
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
            while True:
                try:
                    size += end.send(bytes(1 << 15))
                except BlockingIOError:
                    break
except OSError:
    pass
if size < 100 << 20:
    raise PermissionError(f"{len(held)} places with {size} bytes, and no memory but its own")


class ModelNew(Honest):
    pass
