"""Sentences that lie one after the other, laid out in rows of one length."""

import torch
from torch import nn

SENTENCES, LONGEST, WIDTH = 32, 48, 64

TASK = {
    "title": "Packed rows to padded rows",
    "category": "embedding and indexing",
    "level": 2,
    "shapes": [{"SENTENCES": 7, "LONGEST": 19, "WIDTH": 37}],
    "hidden": [{"SENTENCES": 11, "LONGEST": 13, "WIDTH": 21}],
}


class Model(nn.Module):
    def __init__(self, longest):
        super().__init__()
        self.longest = longest

    def forward(self, packed, length):
        start = torch.cumsum(length, dim=0) - length
        at = torch.arange(self.longest)
        row = (start[:, None] + at[None, :]).clamp(max=packed.shape[0] - 1)
        inside = at[None, :] < length[:, None]
        return packed[row] * inside.unsqueeze(-1)


def get_inputs():
    length = torch.randint(1, LONGEST + 1, (SENTENCES,))
    return [torch.randn(SENTENCES * LONGEST, WIDTH), length]


def get_init_inputs():
    return [LONGEST]
