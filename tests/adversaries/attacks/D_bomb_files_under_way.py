"""Fills the disk with deleted files whose descriptors are under way from one socket to another, in no process.

line: D bombs: disk
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


ours, theirs = socket.socketpair()
for n in range(100):
    name = f"bomb{n}"
    with open(name, "wb") as stream:
        stream.write(bytes(20 << 20))
        os.remove(name)
        socket.send_fds(ours, [b"x"], [stream.fileno()])


class ModelNew(Honest):
    pass
