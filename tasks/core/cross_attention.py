"""Attention of few queries to many keys, with a scale that is learned for each head."""

import torch
from torch import nn

BATCH, HEADS, QUERIES, KEYS, HEAD_DIM = 2, 8, 32, 256, 32

TASK = {
    "title": "Cross-attention",
    "category": "attention",
    "level": 2,
    "shapes": [{"BATCH": 1, "HEADS": 3, "QUERIES": 19, "KEYS": 77, "HEAD_DIM": 24}],
    "hidden": [{"BATCH": 3, "HEADS": 2, "QUERIES": 11, "KEYS": 101, "HEAD_DIM": 40}],
}


class Model(nn.Module):
    def __init__(self, heads, width):
        super().__init__()
        self.scale = nn.Parameter(torch.full((heads, 1, 1), width**-0.5))

    def forward(self, q, k, v):
        scores = (q * self.scale) @ k.transpose(-2, -1)
        return torch.softmax(scores, dim=-1) @ v


def get_inputs():
    q = torch.randn(BATCH, HEADS, QUERIES, HEAD_DIM)
    return [q, *(torch.randn(BATCH, HEADS, KEYS, HEAD_DIM) for _ in range(2))]


def get_init_inputs():
    return [HEADS, HEAD_DIM]
