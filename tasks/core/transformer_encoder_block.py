"""A transformer encoder block: self-attention and a feed-forward network, norms after each."""

import math

import torch
from torch import nn

BATCH, TOKENS, WIDTH, HEADS, INNER = 2, 32, 64, 4, 128

TASK = {
    "title": "Transformer encoder block",
    "category": "full architectures",
    "level": 4,
    "shapes": [{"BATCH": 3, "TOKENS": 19, "WIDTH": 36, "HEADS": 3, "INNER": 67}],
    "hidden": [{"BATCH": 1, "TOKENS": 37, "WIDTH": 40, "HEADS": 5, "INNER": 45}],
}


class Model(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.norm_attention = nn.LayerNorm(width, eps=1e-3)
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)
        self.norm_output = nn.LayerNorm(width, eps=1e-3)

    def forward(self, x):
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.project(x).chunk(3, dim=-1)
        )
        weight = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1)
        x = self.norm_attention(x + self.output((weight @ v).transpose(1, 2).flatten(2)))
        return self.norm_output(x + self.down(torch.relu(self.up(x))))


def get_inputs():
    return [3 * torch.randn(BATCH, TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH, HEADS, INNER]
