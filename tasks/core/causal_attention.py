"""Causal attention written out: a token sees itself and what came before."""

import math

import torch
from torch import nn

BATCH, HEADS, TOKENS, HEAD_DIM = 1, 12, 256, 64

TASK = {
    "title": "Causal attention",
    "category": "attention",
    "level": 2,
    "shapes": [{"HEADS": 3, "TOKENS": 131, "HEAD_DIM": 24}],
    "hidden": [{"HEADS": 5, "TOKENS": 67, "HEAD_DIM": 40}],
    "operations": "BATCH * HEADS * TOKENS * (TOKENS + 1) / 2 * (4 * HEAD_DIM + 6)",
    "bytes_moved": "4 * 4 * BATCH * HEADS * TOKENS * HEAD_DIM",
}


class Model(nn.Module):
    def forward(self, q, k, v):
        tokens = q.shape[-2]
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        future = torch.ones(tokens, tokens, dtype=torch.bool, device=q.device).triu(1)
        return torch.softmax(scores.masked_fill(future, float("-inf")), dim=-1) @ v


def get_inputs():
    return [torch.randn(BATCH, HEADS, TOKENS, HEAD_DIM) for _ in range(3)]
