"""A self-attention layer with its projections."""

import math

import torch
from torch import nn

BATCH, TOKENS, WIDTH, HEADS = 2, 64, 128, 4

TASK = {
    "title": "Multi-head attention layer",
    "category": "attention",
    "level": 3,
    "shapes": [{"BATCH": 1, "TOKENS": 37, "WIDTH": 72, "HEADS": 3}],
    "hidden": [{"BATCH": 3, "TOKENS": 19, "WIDTH": 40, "HEADS": 5}],
}


class Model(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.project(x).chunk(3, dim=-1)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        mixed = torch.softmax(scores, dim=-1) @ v
        return self.output(mixed.transpose(1, 2).flatten(2))


def get_inputs():
    return [3 * torch.randn(BATCH, TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH, HEADS]
