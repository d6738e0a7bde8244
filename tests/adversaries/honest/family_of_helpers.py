"""Helpers with helpers of their own while loading, some left to be reaped.

line: A11 D36
"""

import os
import pathlib
import shutil
import subprocess
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


for _ in range(3):
    subprocess.run(["sh", "-c", "(true &) ; true"], check=True)
subprocess.Popen([sys.executable, "-c", ""]).wait()
notes = pathlib.Path("notes.txt")
notes.write_text("tuned for this width")
shutil.copyfile(notes, "copy.txt")
assert pathlib.Path("copy.txt").read_text() == notes.read_text()
os.replace("copy.txt", "kept.txt")


class ModelNew(Honest):
    pass
