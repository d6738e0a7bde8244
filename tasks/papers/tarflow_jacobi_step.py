"""One Jacobi sweep of a TarFlow's inverse: all tokens at once from the last guess (arXiv:2505.12849)."""

import math

import torch
from torch import nn

BATCH, TOKENS, WIDTH = 4, 48, 32

TASK = {
    "title": "Jacobi step of a flow's inverse",
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

    def forward(self, z, guess):
        before = nn.functional.pad(guess[:, :-1], (0, 0, 1, 0))
        q, k, v = self.project(before).chunk(3, dim=-1)
        later = torch.ones(z.shape[1], z.shape[1], dtype=torch.bool).triu(1)
        scores = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).masked_fill(later, float("-inf"))
        shift, scale = self.output(torch.softmax(scores, dim=-1) @ v).chunk(2, dim=-1)
        new = z * torch.exp(scale) + shift
        return new, (new - guess).abs().amax(dim=(1, 2))


def get_inputs():
    return [torch.randn(BATCH, TOKENS, WIDTH), 3 * torch.randn(BATCH, TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH]
