"""Talks to the network, by name, by address and by socket file.

line: D bombs: network
expect: exception
"""

import itertools
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


reached = []
for kind, family in itertools.product(
    (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW),
    (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK),
):
    try:
        socket.socket(family, kind).close()
        reached.append((family, kind))
    except OSError:
        continue
if not reached:
    raise PermissionError("no network")


class ModelNew(Honest):
    pass
