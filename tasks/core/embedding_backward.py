"""The gradient of an embedding table: rows that were used get what came back for them."""

import torch
from torch import nn

TOKENS, VOCABULARY, WIDTH = 1024, 1000, 64

TASK = {
    "title": "Embedding with backward",
    "category": "embedding and indexing",
    "level": 2,
    "backward": True,
    "shapes": [{"TOKENS": 131, "VOCABULARY": 77, "WIDTH": 37}],
    "hidden": [{"TOKENS": 67, "VOCABULARY": 203, "WIDTH": 21}],
}


class Model(nn.Module):
    def __init__(self, vocabulary, width):
        super().__init__()
        self.table = nn.Parameter(torch.randn(vocabulary, width))

    def forward(self, tokens, scale):
        return self.table[tokens] * scale


def get_inputs():
    return [torch.randint(0, VOCABULARY, (TOKENS,)), torch.randn(TOKENS, 1)]


def get_init_inputs():
    return [VOCABULARY, WIDTH]
