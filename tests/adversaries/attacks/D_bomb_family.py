"""Children that each take a gigabyte: no process has too much, all together have.

line: D bombs: memory fork
expect: resources exception crash timeout left_process
again: yes
"""

import mmap
import os
import time

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


for _ in range(10):
    if os.fork() == 0:
        memory = mmap.mmap(-1, 1 << 30)
        for page in range(0, 1 << 30, 4096):
            memory[page] = 1
        time.sleep(60)
        os._exit(0)
time.sleep(3.5)


class ModelNew(Honest):
    pass
