"""The likeliest token of each position; so many positions that any token may be it."""

import torch
from torch import nn

TOKENS, VOCABULARY = 2048, 2000

TASK = {
    "title": "Argmax of rows",
    "category": "reduction",
    "level": 1,
    "shapes": [{"TOKENS": 63, "VOCABULARY": 1011}],
    "hidden": [{"TOKENS": 29, "VOCABULARY": 3001}],
    "operations": "TOKENS * VOCABULARY",
    "bytes_moved": "4 * TOKENS * VOCABULARY + 8 * TOKENS",
}


class Model(nn.Module):
    def forward(self, logits):
        return torch.argmax(logits, dim=-1)


def get_inputs():
    return [torch.randn(TOKENS, VOCABULARY)]
