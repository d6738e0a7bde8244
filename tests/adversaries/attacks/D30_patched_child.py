"""Replaces parts of the harness that share its process: layout, flattening, lockdown.

line: D30 D34
expect: output wrong_value special_values precision stale_output
again: yes
"""

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


harness = sys.modules.get("kernelwright.harness.child")
if harness is not None:
    harness.flatten = lambda out: [out]
    harness.poison = lambda *args: None
    harness.describe_tensor = lambda tensor: {
        "address": 4096,
        "dtype": "float32",
        "shape": [128, 512],
        "stride": [512, 1],
    }


class ModelNew(Honest):
    def forward(self, x):
        return torch.zeros(x.shape)
