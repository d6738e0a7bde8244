"""RMS norm in bfloat16 with the statistics in float32, as language models have it."""

import torch
from torch import nn

TOKENS, WIDTH = 1024, 2048

TASK = {
    "title": "RMS norm, bfloat16",
    "category": "normalisation",
    "level": 1,
    "tolerance": "bf16",
    "dtypes": ["bfloat16"],
    "shapes": [{"TOKENS": 19, "WIDTH": 1011}],
    "hidden": [{"TOKENS": 43, "WIDTH": 517}],
    "operations": "4 * TOKENS * WIDTH",
    "bytes_moved": "2 * (2 * TOKENS * WIDTH + WIDTH)",
}


class Model(nn.Module):
    def __init__(self, width, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, dtype=torch.bfloat16))
        self.eps = eps

    def forward(self, x):
        wide = x.float()
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return (wide * scale * self.weight.float()).to(x.dtype)


def get_inputs():
    return [torch.randn(TOKENS, WIDTH).bfloat16()]


def get_init_inputs():
    return [WIDTH]
