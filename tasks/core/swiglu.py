"""SwiGLU: the first half of the features through SiLU, times the second half."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, WIDTH = 512, 4096

TASK = {
    "title": "SwiGLU",
    "category": "activation",
    "level": 1,
    "shapes": [{"TOKENS": 33, "WIDTH": 1001}],
    "hidden": [{"TOKENS": 129, "WIDTH": 77}],
    "operations": "5 * TOKENS * WIDTH",
    "bytes_moved": "4 * 3 * TOKENS * WIDTH",
}


class Model(nn.Module):
    def forward(self, x):
        gate, value = x.chunk(2, dim=-1)
        return F.silu(gate) * value


def get_inputs():
    return [torch.randn(TOKENS, 2 * WIDTH)]
