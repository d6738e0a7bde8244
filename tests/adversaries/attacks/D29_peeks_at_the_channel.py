"""Looks at what the parent has sent, without taking it, and asks how much there is.

line: D29 A10
expect: exception
"""

import array
import fcntl
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


seen = []
for name in os.listdir("/proc/self/fd"):
    try:
        if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
            continue
        channel = socket.socket(fileno=os.dup(int(name)))
        try:
            seen.append(channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            seen.append(b"")
    except OSError:
        pass
    try:
        seen.append(fcntl.ioctl(int(name), 0x541B, array.array("i", [0])))
    except OSError:
        continue
if not seen:
    raise PermissionError("the channel can only be read")


class ModelNew(Honest):
    pass
