"""Writes one file without end.

line: D bombs: disk
expect: exception crash
again: yes
"""

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


class ModelNew(Honest):
    def forward(self, x):
        with open("bomb", "wb") as stream:
            while True:
                stream.seek(64 << 20, 1)
                stream.write(b"x")
                stream.flush()
