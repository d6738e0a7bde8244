"""A block of MLP-Mixer: a network across tokens, then one across channels."""

import torch
from torch import nn

BATCH, TOKENS, WIDTH, ACROSS, INNER = 2, 49, 64, 32, 128

TASK = {
    "title": "MLP-Mixer block",
    "category": "full architectures",
    "level": 4,
    "shapes": [{"BATCH": 3, "TOKENS": 19, "WIDTH": 37, "ACROSS": 13, "INNER": 45}],
    "hidden": [{"BATCH": 1, "TOKENS": 31, "WIDTH": 21, "ACROSS": 11, "INNER": 67}],
}


class Model(nn.Module):
    def __init__(self, tokens, width, across, inner):
        super().__init__()
        self.norm_tokens = nn.LayerNorm(width)
        self.tokens = nn.Sequential(nn.Linear(tokens, across), nn.GELU(), nn.Linear(across, tokens))
        self.norm_channels = nn.LayerNorm(width)
        self.channels = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))

    def forward(self, x):
        x = x + self.tokens(self.norm_tokens(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm_channels(x))


def get_inputs():
    return [torch.randn(BATCH, TOKENS, WIDTH)]


def get_init_inputs():
    return [TOKENS, WIDTH, ACROSS, INNER]
