"""Attention whose heads share keys and values in groups."""

import math

import torch
from torch import nn

BATCH, HEADS, GROUPS, TOKENS, HEAD_DIM = 1, 8, 2, 128, 32

TASK = {
    "title": "Grouped-query attention",
    "category": "attention",
    "level": 2,
    "shapes": [{"BATCH": 2, "HEADS": 6, "GROUPS": 3, "TOKENS": 45, "HEAD_DIM": 24}],
    "hidden": [{"BATCH": 1, "HEADS": 4, "GROUPS": 1, "TOKENS": 67, "HEAD_DIM": 40}],
}


class Model(nn.Module):
    def forward(self, q, k, v):
        share = q.shape[1] // k.shape[1]
        k = k.repeat_interleave(share, dim=1)
        v = v.repeat_interleave(share, dim=1)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        return torch.softmax(scores, dim=-1) @ v


def get_inputs():
    q = torch.randn(BATCH, HEADS, TOKENS, HEAD_DIM)
    return [q, *(torch.randn(BATCH, GROUPS, TOKENS, HEAD_DIM) for _ in range(2))]
