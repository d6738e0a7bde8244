"""Exact causal attention, the operator of FlashAttention-2 (Dao 2023, arXiv:2307.08691)."""

import math

import torch
from torch import nn

BATCH, HEADS, TOKENS, HEAD_DIM = 1, 4, 192, 64

TASK = {
    "title": "FlashAttention-2, forward",
    "category": "attention",
    "level": 3,
    "full": [{"BATCH": 2, "HEADS": 16, "TOKENS": 4096, "HEAD_DIM": 128}],
    "operations": "BATCH * HEADS * TOKENS * (TOKENS + 1) / 2 * (4 * HEAD_DIM + 5)",
    "shapes": [{"BATCH": 2, "HEADS": 3, "TOKENS": 77, "HEAD_DIM": 40}],
    "hidden": [{"BATCH": 1, "HEADS": 5, "TOKENS": 131, "HEAD_DIM": 24}],
}


class Model(nn.Module):
    def forward(self, q, k, v):
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        later = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
        weight = torch.softmax(scores.masked_fill(later, float("-inf")), dim=-1)
        return weight @ v


def get_inputs():
    return [torch.randn(BATCH, HEADS, TOKENS, HEAD_DIM) for _ in range(3)]
