"""Queries and keys of each head brought to unit length and scaled, before their product."""

import torch
from torch import nn

BATCH, TOKENS, HEADS, HEAD_DIM = 2, 256, 8, 64

TASK = {
    "title": "Norm of queries and keys",
    "category": "normalisation",
    "level": 2,
    "shapes": [{"BATCH": 1, "TOKENS": 77, "HEADS": 3, "HEAD_DIM": 40}],
    "hidden": [{"BATCH": 3, "TOKENS": 31, "HEADS": 5, "HEAD_DIM": 24}],
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.query_scale = nn.Parameter(torch.ones(width))
        self.key_scale = nn.Parameter(torch.ones(width))

    def forward(self, q, k):
        q = q * torch.rsqrt((q * q).sum(dim=-1, keepdim=True) + 1e-6) * self.query_scale
        k = k * torch.rsqrt((k * k).sum(dim=-1, keepdim=True) + 1e-6) * self.key_scale
        return q.transpose(1, 2), k.transpose(1, 2)


def get_inputs():
    shape = BATCH, TOKENS, HEADS, HEAD_DIM
    return [torch.randn(shape), torch.randn(shape)]


def get_init_inputs():
    return [HEAD_DIM]
