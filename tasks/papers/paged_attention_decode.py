"""One query of each sequence against keys in scattered pages, as in vAttention (arXiv:2405.04437)."""

import math

import torch
from torch import nn

BATCH, HEADS, HEAD_DIM, PAGE, PAGES, POOL = 4, 4, 32, 8, 12, 64

TASK = {
    "title": "Paged attention, decoding",
    "category": "attention",
    "level": 3,
    "full": [{"BATCH": 32, "HEADS": 32, "HEAD_DIM": 128, "PAGE": 16, "PAGES": 256, "POOL": 8192}],
    "bytes_moved": "4 * BATCH * HEADS * PAGE * PAGES * HEAD_DIM",
    "shapes": [{"BATCH": 3, "HEADS": 3, "HEAD_DIM": 24, "PAGE": 5, "PAGES": 7, "POOL": 29}],
    "hidden": [{"BATCH": 2, "HEADS": 5, "HEAD_DIM": 40, "PAGE": 3, "PAGES": 11, "POOL": 37}],
}


class Model(nn.Module):
    def forward(self, q, keys, values, table, length):
        k = keys[table].flatten(1, 2)
        v = values[table].flatten(1, 2)
        empty = torch.arange(k.shape[1]) >= length[:, None]
        scores = torch.einsum("bhd,bthd->bht", q, k) / math.sqrt(q.shape[-1])
        weight = torch.softmax(scores.masked_fill(empty[:, None, :], float("-inf")), dim=-1)
        return torch.einsum("bht,bthd->bhd", weight, v)


def get_inputs():
    q = torch.randn(BATCH, HEADS, HEAD_DIM)
    keys, values = (torch.randn(POOL, PAGE, HEADS, HEAD_DIM) for _ in range(2))
    table = torch.randint(0, POOL, (BATCH, PAGES))
    length = torch.randint(PAGE * PAGES // 2, PAGE * PAGES + 1, (BATCH,))
    length[torch.randint(BATCH, ())] = PAGE * PAGES
    return [q, keys, values, table, length]
