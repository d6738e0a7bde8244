"""torch.jit.script over the plain operators.

line: control
track: library
patient: yes
deadline: 240
"""

import torch

from kernelwright.inline import cpp


def run(x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.gelu(x * scale + bias)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))
        self._run = torch.jit.script(run)

    def forward(self, x):
        return self._run(x, self.scale, self.bias)
