"""Causal attention with a penalty on distance that differs from head to head."""

import math

import torch
from torch import nn

BATCH, HEADS, TOKENS, HEAD_DIM = 1, 8, 128, 32

TASK = {
    "title": "Attention with linear biases",
    "category": "attention",
    "level": 3,
    "operations": "BATCH * HEADS * TOKENS * (TOKENS + 1) / 2 * (4 * HEAD_DIM + 7)",
    "shapes": [{"BATCH": 2, "HEADS": 3, "TOKENS": 53, "HEAD_DIM": 24}],
    "hidden": [{"BATCH": 1, "HEADS": 5, "TOKENS": 77, "HEAD_DIM": 40}],
}


class Model(nn.Module):
    def forward(self, q, k, v, slope):
        at = torch.arange(q.shape[-2])
        back = at[:, None] - at[None, :]
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        scores = scores - slope[:, None, None] * back
        scores = scores.masked_fill(back < 0, float("-inf"))
        return torch.softmax(scores, dim=-1) @ v


def get_inputs():
    slope = 2.0 ** -(1 + 7 * torch.rand(HEADS))
    return [*(torch.randn(BATCH, HEADS, TOKENS, HEAD_DIM) for _ in range(3)), slope]
