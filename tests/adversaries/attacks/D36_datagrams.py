"""One end of a pair of sockets speaks to others than the other end: datagrams have an address each.

line: D bombs: network
expect: exception
"""

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
for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind | socket.SOCK_CLOEXEC)
    except OSError:
        continue
    for address in ("\0kernelwright", "/run/systemd/journal/socket", "/dev/log"):
        try:
            ours.sendto(b"hello", address)
        except (ConnectionRefusedError, FileNotFoundError):  # nobody was there, but it went
            reached.append(address)
        except OSError:
            continue
        theirs.setblocking(False)
        try:
            theirs.recv(16)
        except BlockingIOError:
            reached.append(address)
if not reached:
    raise PermissionError("no network")


class ModelNew(Honest):
    pass
