"""A block of a small language model: RMS norm, causal attention with rotary angles, gated network."""

import math

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, WIDTH, HEADS, INNER = 48, 64, 4, 96

TASK = {
    "title": "Decoder block of a language model",
    "category": "full architectures",
    "level": 4,
    "shapes": [{"TOKENS": 19, "WIDTH": 36, "HEADS": 3, "INNER": 45}],
    "hidden": [{"TOKENS": 31, "WIDTH": 40, "HEADS": 2, "INNER": 67}],
}


def scaled(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + 1e-5) * weight


class Model(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.first = nn.Parameter(torch.ones(width))
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.second = nn.Parameter(torch.ones(width))
        self.up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x, cos, sin):
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(0, 1)
            for part in self.project(scaled(x, self.first)).chunk(3, dim=-1)
        )
        q, k = self.rotated(q, cos, sin), self.rotated(k, cos, sin)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        later = torch.ones(x.shape[0], x.shape[0], dtype=torch.bool).triu(1)
        weight = torch.softmax(scores.masked_fill(later, float("-inf")), dim=-1)
        x = x + self.output((weight @ v).transpose(0, 1).flatten(1))
        gate, value = self.up(scaled(x, self.second)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * value)

    def rotated(self, x, cos, sin):
        one, two = x.chunk(2, dim=-1)
        return torch.cat((one * cos - two * sin, one * sin + two * cos), dim=-1)


def get_inputs():
    half = WIDTH // HEADS // 2
    start = torch.randint(0, 256, (1,))
    angles = (start + torch.arange(TOKENS))[:, None] * 100.0 ** (-torch.arange(half) / half)
    return [2 * torch.randn(TOKENS, WIDTH), angles.cos(), angles.sin()]


def get_init_inputs():
    return [WIDTH, HEADS, INNER]
