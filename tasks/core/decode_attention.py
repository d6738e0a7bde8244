"""One new query of each sequence against its cached keys, of which only the first are filled."""

import math

import torch
from torch import nn

BATCH, HEADS, LONGEST, HEAD_DIM = 4, 8, 192, 32

TASK = {
    "title": "Attention of one query to a cache",
    "category": "attention",
    "level": 3,
    "bytes_moved": "4 * BATCH * HEADS * LONGEST * HEAD_DIM",
    "shapes": [{"BATCH": 3, "HEADS": 3, "LONGEST": 77, "HEAD_DIM": 24}],
    "hidden": [{"BATCH": 5, "HEADS": 2, "LONGEST": 101, "HEAD_DIM": 40}],
}


class Model(nn.Module):
    def forward(self, q, keys, values, length):
        at = torch.arange(keys.shape[2])
        empty = at[None, :] >= length[:, None]
        scores = torch.einsum("bhd,bhtd->bht", q, keys) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(empty[:, None, :], float("-inf"))
        return torch.einsum("bht,bhtd->bhd", torch.softmax(scores, dim=-1), values)


def get_inputs():
    q = torch.randn(BATCH, HEADS, HEAD_DIM)
    keys, values = (torch.randn(BATCH, HEADS, LONGEST, HEAD_DIM) for _ in range(2))
    length = torch.randint(LONGEST // 2, LONGEST + 1, (BATCH,))
    length[torch.randint(BATCH, ())] = LONGEST
    return [q, keys, values, length]
