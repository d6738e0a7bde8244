"""Finds other processes of the judge by their numbers, to move, slow or limit them.

line: A11 D36
expect: exception
again: yes
"""

import os
import resource

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
mine = os.getpid()
for pid in [p for p in range(1, 4_000) if p != mine] + [os.getppid()]:
    for act in (
        lambda p=pid: os.sched_setaffinity(p, {0}),
        lambda p=pid: os.setpriority(os.PRIO_PROCESS, p, 19),
        lambda p=pid: resource.prlimit(p, resource.RLIMIT_CPU, (1, 1)),
    ):
        try:
            act()
            hit.append(pid)
        except OSError:
            continue
if not hit:
    raise PermissionError("nobody else is there")


class ModelNew(Honest):
    pass
