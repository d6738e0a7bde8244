"""A request to build whose flags are a number.

line: D29 bombs
expect: exit protocol build_failed
again: yes
"""

import json
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


class ModelNew(Honest):
    def forward(self, x):
        body = json.dumps({"build": "int x;", "flags": 5}).encode()
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                    os.write(int(name), struct.pack("<I", len(body)) + body)
                    break
            except OSError:
                continue
        return self.compute(x)
