"""New keys written to their places in a copy of a cache."""

import torch
from torch import nn

BATCH, HEADS, LONGEST, HEAD_DIM, NEW = 2, 8, 128, 32, 4

TASK = {
    "title": "Update of a cache at positions",
    "category": "embedding and indexing",
    "level": 1,
    "shapes": [{"BATCH": 3, "HEADS": 3, "LONGEST": 45, "HEAD_DIM": 24, "NEW": 3}],
    "hidden": [{"BATCH": 1, "HEADS": 5, "LONGEST": 61, "HEAD_DIM": 40, "NEW": 5}],
}


class Model(nn.Module):
    def forward(self, cache, new, position):
        return cache.index_copy(2, position, new)


def get_inputs():
    cache = torch.randn(BATCH, HEADS, LONGEST, HEAD_DIM)
    return [cache, torch.randn(BATCH, HEADS, NEW, HEAD_DIM), torch.randperm(LONGEST)[:NEW]]
