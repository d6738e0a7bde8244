"""Softmax of each row of scores up to its diagonal, zeros behind it."""

import torch
from torch import nn

HEADS, TOKENS = 8, 256

TASK = {
    "title": "Causal softmax, from sequential C++",
    "category": "softmax",
    "level": 2,
    "shapes": [{"HEADS": 3, "TOKENS": 97}],
    "hidden": [{"HEADS": 5, "TOKENS": 67}],
    "start": "start/serial_causal_softmax.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def forward(self, scores):
        tokens = scores.shape[-1]
        later = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
        return torch.softmax(scores.masked_fill(later, float("-inf")), dim=-1)


def get_inputs():
    return [torch.randn(HEADS, TOKENS, TOKENS)]
