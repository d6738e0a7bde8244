"""SwiGLU in bfloat16, gate and value from separate projections."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, WIDTH = 512, 4096

TASK = {
    "title": "SwiGLU, bfloat16",
    "category": "activation",
    "level": 1,
    "tolerance": "bf16",
    "dtypes": ["bfloat16"],
    "shapes": [{"TOKENS": 31, "WIDTH": 1003}],
    "hidden": [{"TOKENS": 65, "WIDTH": 141}],
    "operations": "5 * TOKENS * WIDTH",
    "bytes_moved": "2 * 3 * TOKENS * WIDTH",
}


class Model(nn.Module):
    def forward(self, gate, value):
        return F.silu(gate) * value


def get_inputs():
    return [torch.randn(TOKENS, WIDTH).bfloat16(), torch.randn(TOKENS, WIDTH).bfloat16()]
