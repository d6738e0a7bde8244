"""Pre-norm language model block: adds the residual, gives its RMS norm and the sum itself."""

import torch
from torch import nn

TOKENS, WIDTH = 768, 2048

TASK = {
    "title": "Residual and RMS norm",
    "category": "normalisation",
    "level": 2,
    "shapes": [{"TOKENS": 29, "WIDTH": 1003}],
    "hidden": [{"TOKENS": 83, "WIDTH": 391}],
    "operations": "5 * TOKENS * WIDTH",
    "bytes_moved": "4 * (4 * TOKENS * WIDTH + WIDTH)",
}


class Model(nn.Module):
    def __init__(self, width, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x, residual):
        total = x + residual
        scale = torch.rsqrt(total.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * (total * scale), total


def get_inputs():
    return [torch.randn(TOKENS, WIDTH), torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
