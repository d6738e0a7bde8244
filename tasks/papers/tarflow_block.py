"""A flow step: a causal layer gives shift and scale of each token (TarFlow, arXiv:2412.06329)."""

import math

import torch
from torch import nn

BATCH, TOKENS, WIDTH = 4, 48, 32

TASK = {
    "title": "TarFlow step with its log-determinant",
    "category": "full architectures",
    "level": 4,
    "full": [{"BATCH": 16, "TOKENS": 1024, "WIDTH": 768}],
    "shapes": [{"BATCH": 3, "TOKENS": 19, "WIDTH": 13}],
    "hidden": [{"BATCH": 2, "TOKENS": 31, "WIDTH": 21}],
}


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, 2 * width)

    def forward(self, x):
        before = nn.functional.pad(x[:, :-1], (0, 0, 1, 0))
        q, k, v = self.project(before).chunk(3, dim=-1)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        scores = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).masked_fill(later, float("-inf"))
        shift, scale = self.output(torch.softmax(scores, dim=-1) @ v).chunk(2, dim=-1)
        return (x - shift) * torch.exp(-scale), -scale.mean(dim=-1)


def get_inputs():
    return [3 * torch.randn(BATCH, TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
