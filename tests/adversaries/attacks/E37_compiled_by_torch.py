"""torch.compile writes the kernel: a library's work, though it is compiled anew.

line: E37
track: library
patient: yes
deadline: 240
"""

import torch

from kernelwright.inline import cpp


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    @torch.compile
    def forward(self, x):
        return torch.nn.functional.gelu(x * self.scale + self.bias)
