"""Torch does it all, in another thread, where a profiler of this one does not look.

line: E37
task: two_linears
track: library mixed
"""

import concurrent.futures

import torch

pool = concurrent.futures.ThreadPoolExecutor(1)


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    @torch.no_grad()
    def work(self, x):
        return x @ self.down.weight.t() @ self.up.weight.t()

    def forward(self, x):
        return pool.submit(self.work, x).result()
