"""Causal attention that sees the last few tokens only."""

import math

import torch
from torch import nn

BATCH, HEADS, TOKENS, HEAD_DIM, WINDOW = 1, 6, 192, 32, 32

TASK = {
    "title": "Sliding-window attention",
    "category": "attention",
    "level": 3,
    "operations": "BATCH * HEADS * (TOKENS - WINDOW / 2) * WINDOW * (4 * HEAD_DIM + 5)",
    "shapes": [{"BATCH": 2, "HEADS": 3, "TOKENS": 77, "HEAD_DIM": 24, "WINDOW": 13}],
    "hidden": [{"BATCH": 1, "HEADS": 5, "TOKENS": 51, "HEAD_DIM": 40, "WINDOW": 21}],
}


class Model(nn.Module):
    def __init__(self, window):
        super().__init__()
        self.window = window

    def forward(self, q, k, v):
        at = torch.arange(q.shape[-2])
        back = at[:, None] - at[None, :]
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill((back < 0) | (back >= self.window), float("-inf"))
        return torch.softmax(scores, dim=-1) @ v


def get_inputs():
    return [torch.randn(BATCH, HEADS, TOKENS, HEAD_DIM) for _ in range(3)]


def get_init_inputs():
    return [WINDOW]
