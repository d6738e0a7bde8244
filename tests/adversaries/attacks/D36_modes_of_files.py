"""Changes modes, times and attributes of files that it can read.

line: D36 D30
expect: exception
again: yes
"""

import os
import sys

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


hit = []
for path in (os.__file__, torch.__file__, sys.executable, "/usr/bin/env", "../builds", "/tmp", "/"):
    for act in (
        lambda p=path: os.chmod(p, os.stat(p).st_mode & 0o777),
        lambda p=path: os.utime(p),
        lambda p=path: os.setxattr(p, "user.mark", b"1"),
        lambda p=path: os.chown(p, os.getuid(), os.getgid()),
        lambda p=path: os.fchmod(os.open(p, os.O_RDONLY), 0o777),
    ):
        try:
            act()
            hit.append(path)
        except OSError:
            continue
if not hit:
    raise PermissionError("no file but its own")


class ModelNew(Honest):
    pass
