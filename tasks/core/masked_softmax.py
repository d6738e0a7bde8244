"""Attention probabilities: scaled scores, padded keys masked by each sequence's length, softmax."""

import math

import torch
from torch import nn

BATCH, HEADS, TOKENS, HEAD_DIM = 4, 8, 256, 64

TASK = {
    "title": "Scaled softmax with key padding",
    "category": "activation",
    "level": 2,
    "shapes": [{"BATCH": 1, "HEADS": 3, "TOKENS": 93, "HEAD_DIM": 40}],
    "hidden": [{"BATCH": 2, "HEADS": 5, "TOKENS": 51, "HEAD_DIM": 16}],
    "operations": "7 * BATCH * HEADS * TOKENS * TOKENS",
    "bytes_moved": "2 * 4 * BATCH * HEADS * TOKENS * TOKENS + 8 * BATCH",
}


class Model(nn.Module):
    def forward(self, scores, lengths):
        keys = torch.arange(scores.shape[-1], device=scores.device)
        padded = (keys[None, :] >= lengths[:, None])[:, None, None, :]
        scaled = scores / math.sqrt(HEAD_DIM)
        return torch.softmax(scaled.masked_fill(padded, torch.finfo(scaled.dtype).min), dim=-1)


def get_inputs():
    scores = 8 * torch.randn(BATCH, HEADS, TOKENS, TOKENS)
    lengths = torch.randint(TOKENS // 4, TOKENS, (BATCH,))
    lengths[torch.randint(BATCH, ())] = TOKENS  # a batch is as wide as its longest sequence
    return [scores, lengths]
