"""Writes rubbish and pickles into the channel.

line: D35
expect: protocol exit timeout crash killed
"""

import os
import pickle
import struct

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
        body = pickle.dumps(self.compute(x))
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                    os.write(int(name), struct.pack("<I", len(body)) + body)
                    break
            except OSError:
                continue
        return x
