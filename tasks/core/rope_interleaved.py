"""Rotary position embedding that computes its angles; neighbouring features form the pairs."""

import torch
from torch import nn

BATCH, TOKENS, HEADS, HEAD_DIM = 2, 512, 16, 64

TASK = {
    "title": "Rotary embedding, angles computed",
    "category": "elementwise and broadcast",
    "level": 2,
    "shapes": [{"BATCH": 1, "TOKENS": 77, "HEADS": 3, "HEAD_DIM": 24}],
    "hidden": [{"BATCH": 2, "TOKENS": 45, "HEADS": 5, "HEAD_DIM": 40}],
    "operations": "BATCH * TOKENS * HEADS * HEAD_DIM * 3 + TOKENS * HEAD_DIM * 3 / 2",
    "bytes_moved": "4 * 2 * BATCH * TOKENS * HEADS * HEAD_DIM + 8 * TOKENS",
}


class Model(nn.Module):
    def __init__(self, head_dim, base=10000.0):
        super().__init__()
        steps = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim
        self.register_buffer("frequencies", base**-steps)

    def forward(self, x, positions):
        angles = positions[:, None] * self.frequencies
        cos, sin = angles.cos()[:, None, :], angles.sin()[:, None, :]
        even, odd = x[..., 0::2], x[..., 1::2]
        pairs = torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1)
        return pairs.flatten(-2)


def get_inputs():
    start = int(torch.randint(0, 512, ()))
    return [torch.randn(BATCH, TOKENS, HEADS, HEAD_DIM), torch.arange(start, start + TOKENS)]


def get_init_inputs():
    return [HEAD_DIM]
