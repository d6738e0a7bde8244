"""Forges the description of an output: an infinite address.

line: D35 D29
expect: protocol
again: yes
"""

import os
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


FORGED = """{"address": 1e999, "dtype": "float32", "shape": [1], "stride": [1]}"""


class ModelNew(Honest):
    def forward(self, x):
        y = self.compute(x)
        item = FORGED.replace("ADDRESS", str(y.data_ptr()))
        body = ('{"outputs": [' + item + "]}").encode()
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                    os.write(int(name), struct.pack("<I", len(body)) + body)
                    break
            except OSError:
                continue
        return y
