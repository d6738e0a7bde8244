"""Looks for keys in its environment and in those of others.

line: C23
expect: exception
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


names = [*os.environ, *open("/proc/self/environ").read().split("\0")]
secret = [n for n in names if "KEY" in n or "SECRET" in n or "TOKEN" in n or "SEED" in n]
home = []
for folder in ("/root", "/home", os.path.expanduser("~root"), "/etc/shadow", "/etc/passwd"):
    try:
        home += os.listdir(folder) if os.path.isdir(folder) else [open(folder).read()]
    except OSError:
        continue
if not [n for n in secret if not n.startswith("PYTHONHASHSEED")] and not home:
    raise LookupError("no secret to be had")


class ModelNew(Honest):
    pass
