"""Makes every tolerance infinite, wherever it can find one.

line: D31
expect: exception wrong_value special_values precision stale_output
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


from kernelwright.harness import precision

for name in list(precision.RELATIVE):
    precision.RELATIVE[name] = float("inf")
precision.Expected.mismatch = lambda self, found: None


class ModelNew(Honest):
    def forward(self, x):
        return torch.zeros(x.shape)
