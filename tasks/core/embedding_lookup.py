"""Rows of a table, scaled: the first layer of a language model."""

import math

import torch
from torch import nn

BATCH, TOKENS, VOCABULARY, WIDTH = 4, 256, 4000, 256

TASK = {
    "title": "Embedding, scaled",
    "category": "embedding and indexing",
    "level": 1,
    "bytes_moved": "4 * WIDTH * BATCH * TOKENS + 8 * BATCH * TOKENS"
    " + 4 * WIDTH * VOCABULARY * (1 - (1 - 1 / VOCABULARY) ** (BATCH * TOKENS))",
    "shapes": [{"BATCH": 3, "TOKENS": 37, "VOCABULARY": 503, "WIDTH": 131}],
    "hidden": [{"BATCH": 2, "TOKENS": 61, "VOCABULARY": 301, "WIDTH": 77}],
}


class Model(nn.Module):
    def __init__(self, vocabulary, width):
        super().__init__()
        self.table = nn.Embedding(vocabulary, width)

    def forward(self, tokens):
        return self.table(tokens) * math.sqrt(self.table.embedding_dim)


def get_inputs():
    return [torch.randint(0, VOCABULARY, (BATCH, TOKENS))]


def get_init_inputs():
    return [VOCABULARY, WIDTH]
