"""Asks for builds and never reads the answers, so that who answers is stuck.

line: D29 bombs
expect: build_failed
deadline: 8
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
        body = json.dumps({"build": "no C++ at all", "flags": []}).encode()
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                    while True:
                        os.write(int(name), struct.pack("<I", len(body)) + body)
            except OSError:
                continue
