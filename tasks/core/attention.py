"""Attention written out: softmax(q k^T / sqrt(d)) v for every head."""

import math

import torch
from torch import nn

BATCH, HEADS, TOKENS, HEAD_DIM = 2, 8, 256, 64

TASK = {
    "title": "Attention",
    "category": "attention",
    "level": 2,
    "shapes": [{"BATCH": 1, "HEADS": 3, "TOKENS": 77, "HEAD_DIM": 40}],
    "hidden": [{"BATCH": 2, "HEADS": 2, "TOKENS": 45, "HEAD_DIM": 24}],
    "operations": "BATCH * HEADS * TOKENS * TOKENS * (4 * HEAD_DIM + 6)",
    "bytes_moved": "4 * 4 * BATCH * HEADS * TOKENS * HEAD_DIM",
}


class Model(nn.Module):
    def forward(self, q, k, v):
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        return torch.softmax(scores, dim=-1) @ v


def get_inputs():
    return [torch.randn(BATCH, HEADS, TOKENS, HEAD_DIM) for _ in range(3)]
