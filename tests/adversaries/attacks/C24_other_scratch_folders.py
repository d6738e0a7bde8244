"""Reads what other candidates left in their folders.

line: C24
expect: exception
"""

import os
import pathlib

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


found = []
mine = os.getcwd()
root = pathlib.Path(mine).parent.parent
for folder in (root, *(root / f"w{n}" for n in range(40))):
    for name in ("", "tmp", "tmp/candidate.py", "builds", "tmp/output.log", "zygote.log"):
        path = folder / name
        if str(path).startswith(str(pathlib.Path(mine).parent)):
            continue
        try:
            found.append(os.listdir(path) if path.is_dir() else path.read_text())
        except OSError:
            continue
if not found:
    raise LookupError("nobody else can be seen")


class ModelNew(Honest):
    pass
