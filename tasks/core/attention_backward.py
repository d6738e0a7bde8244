"""Attention with the gradients of queries, keys and values."""

import math

import torch
from torch import nn

BATCH, HEADS, TOKENS, HEAD_DIM = 1, 4, 96, 32

TASK = {
    "title": "Attention with backward",
    "category": "attention",
    "level": 3,
    "backward": True,
    "operations": "BATCH * HEADS * TOKENS * TOKENS * (14 * HEAD_DIM + 12)",
    "shapes": [{"BATCH": 2, "HEADS": 3, "TOKENS": 37, "HEAD_DIM": 24}],
    "hidden": [{"BATCH": 1, "HEADS": 2, "TOKENS": 53, "HEAD_DIM": 40}],
}


class Model(nn.Module):
    def forward(self, q, k, v):
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        return torch.softmax(scores, dim=-1) @ v


def get_inputs():
    return [torch.randn(BATCH, HEADS, TOKENS, HEAD_DIM) for _ in range(3)]
