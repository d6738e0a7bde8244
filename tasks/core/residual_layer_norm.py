"""Post-norm transformer block: layer norm of a residual sum."""

import torch
from torch import nn

BATCH, TOKENS, WIDTH = 8, 256, 768

TASK = {
    "title": "Residual and layer norm",
    "category": "normalisation",
    "level": 2,
    "shapes": [{"BATCH": 1, "TOKENS": 37, "WIDTH": 257}],
    "hidden": [{"BATCH": 3, "TOKENS": 11, "WIDTH": 643}],
    "operations": "9 * BATCH * TOKENS * WIDTH",
    "bytes_moved": "4 * (3 * BATCH * TOKENS * WIDTH + 2 * WIDTH)",
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x, residual):
        return self.norm(x + residual)


def get_inputs():
    return [torch.randn(BATCH, TOKENS, WIDTH), torch.randn(BATCH, TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
