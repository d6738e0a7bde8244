"""Attention of each query to all keys."""

import torch
from torch import nn

HEADS, TOKENS, HEAD_DIM = 4, 192, 64

TASK = {
    "title": "Attention, from a kernel that keeps a row of scores",
    "category": "attention",
    "level": 2,
    "shapes": [{"HEADS": 3, "TOKENS": 77, "HEAD_DIM": 40}],
    "hidden": [{"HEADS": 2, "TOKENS": 45, "HEAD_DIM": 29}],
    "start": "start/attention_row_by_row.py",
}


class Model(nn.Module):
    def forward(self, query, key, value):
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        return torch.softmax(scores, dim=-1) @ value


def get_inputs():
    return [torch.randn(HEADS, TOKENS, HEAD_DIM) for _ in range(3)]
