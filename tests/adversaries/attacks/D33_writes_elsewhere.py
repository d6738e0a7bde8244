"""Writes, links and renames outside its scratch folder.

line: D33
expect: exception
again: yes
"""

import os

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


done = []
for path in (
    "/tmp/kernelwright-escape",
    "/dev/shm/kernelwright",
    "/var/tmp/kernelwright-escape",
    "/etc/kernelwright-escape",
    "../escape",
    "../builds/escape.so",
    "../../escape",
):
    try:
        open(path, "w").close()
        done.append(path)
    except OSError:
        pass
    try:
        os.symlink("/etc", "link")
        open("link/kernelwright-escape", "w").close()
        done.append("link")
    except OSError:
        pass
    try:
        os.rename("candidate.py", path)
        done.append(path)
    except OSError:
        pass
    try:
        os.link("/etc/hostname", "hard")
        done.append("hard")
    except OSError:
        pass
if not done:
    raise PermissionError("nowhere to write")


class ModelNew(Honest):
    pass
