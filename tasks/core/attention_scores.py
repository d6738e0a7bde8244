"""Attention probabilities: batched query-key product, scaled, softmax."""

import math

import torch
from torch import nn

GROUPS, TOKENS, HEAD_DIM = 16, 256, 64

TASK = {
    "title": "Batched product, scale and softmax",
    "category": "matmul",
    "level": 2,
    "shapes": [{"GROUPS": 3, "TOKENS": 77, "HEAD_DIM": 40}],
    "hidden": [{"GROUPS": 5, "TOKENS": 45, "HEAD_DIM": 24}],
    "operations": "GROUPS * TOKENS * TOKENS * (2 * HEAD_DIM + 6)",
    "bytes_moved": "4 * (2 * GROUPS * TOKENS * HEAD_DIM + GROUPS * TOKENS * TOKENS)",
}


class Model(nn.Module):
    def forward(self, q, k):
        scores = torch.bmm(q, k.transpose(1, 2)) / math.sqrt(q.shape[-1])
        return torch.softmax(scores, dim=-1)


def get_inputs():
    return [torch.randn(GROUPS, TOKENS, HEAD_DIM), torch.randn(GROUPS, TOKENS, HEAD_DIM)]
