"""Blends two feature maps where a token is kept, and falls back to the second where it is not."""

import torch
from torch import nn

BATCH, TOKENS, WIDTH = 4, 256, 1024

TASK = {
    "title": "Masked mix of two tensors",
    "category": "elementwise and broadcast",
    "level": 2,
    "shapes": [{"BATCH": 1, "TOKENS": 37, "WIDTH": 261}],
    "hidden": [{"BATCH": 3, "TOKENS": 21, "WIDTH": 131}],
    "operations": "5 * BATCH * TOKENS * WIDTH",
    "bytes_moved": "4 * (3 * BATCH * TOKENS * WIDTH + WIDTH) + BATCH * TOKENS",
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix = nn.Parameter(torch.randn(width))

    def forward(self, new, old, keep):
        weight = torch.sigmoid(self.mix)
        return torch.where(keep, weight * new + (1 - weight) * old, old)


def get_inputs():
    new, old = torch.randn(BATCH, TOKENS, WIDTH), torch.randn(BATCH, TOKENS, WIDTH)
    return [new, old, torch.rand(BATCH, TOKENS, 1) < 0.7]


def get_init_inputs():
    return [WIDTH]
