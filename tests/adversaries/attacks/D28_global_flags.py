"""Alters default dtype, precision flags, seeds and initialisation for everybody.

line: D28
expect: exception wrong_dtype wrong_value special_values precision stale_output
again: yes
"""

import torch

torch.set_float32_matmul_precision("medium")
torch.backends.mkldnn.enabled = False
torch.set_flush_denormal(True)
torch.use_deterministic_algorithms(False)
torch.nn.Parameter.__new__ = lambda cls, data=None, requires_grad=True: torch.zeros(1)
torch.randn = torch.zeros
torch.set_default_dtype(torch.float16)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()

    def forward(self, x):
        return torch.zeros(x.shape)
