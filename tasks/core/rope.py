"""Rotary position embedding of queries, from tables of cosines and sines (half-split layout)."""

import torch
from torch import nn

BATCH, HEADS, TOKENS, HEAD_DIM = 2, 16, 512, 64

TASK = {
    "title": "Rotary embedding from tables",
    "category": "elementwise and broadcast",
    "level": 2,
    "shapes": [{"BATCH": 1, "HEADS": 3, "TOKENS": 77, "HEAD_DIM": 24}],
    "hidden": [{"BATCH": 2, "HEADS": 5, "TOKENS": 45, "HEAD_DIM": 40}],
    "operations": "3 * BATCH * HEADS * TOKENS * HEAD_DIM",
    "bytes_moved": "4 * (2 * BATCH * HEADS * TOKENS * HEAD_DIM + 2 * TOKENS * HEAD_DIM)",
}


class Model(nn.Module):
    def forward(self, q, cos, sin):
        first, second = q.chunk(2, dim=-1)
        rotated = torch.cat((-second, first), dim=-1)
        return q * cos + rotated * sin


def get_inputs():
    start = torch.randint(0, 2048, (1,))
    frequencies = 10000.0 ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    angles = (start + torch.arange(TOKENS))[:, None] * frequencies
    angles = torch.cat((angles, angles), dim=-1)
    return [torch.randn(BATCH, HEADS, TOKENS, HEAD_DIM), angles.cos(), angles.sin()]
