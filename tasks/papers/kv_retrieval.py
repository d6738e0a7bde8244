"""Attention to the pages whose summaries fit the query best, as in LouisKV (arXiv:2510.11292)."""

import math

import torch
from torch import nn

HEADS, HEAD_DIM, PAGE, PAGES, KEPT = 4, 32, 8, 32, 8

TASK = {
    "title": "Retrieval of pages of a cache, and attention to them",
    "category": "attention",
    "level": 3,
    "full": [{"HEADS": 32, "HEAD_DIM": 128, "PAGE": 16, "PAGES": 2048, "KEPT": 128}],
    "bytes_moved": "4 * HEADS * HEAD_DIM * (PAGES + 2 * PAGE * KEPT)",
    "operations": "HEADS * HEAD_DIM * (2 * PAGES + 4 * PAGE * KEPT)",
    "shapes": [{"HEADS": 3, "HEAD_DIM": 24, "PAGE": 5, "PAGES": 19, "KEPT": 5}],
    "hidden": [{"HEADS": 5, "HEAD_DIM": 40, "PAGE": 3, "PAGES": 13, "KEPT": 7}],
}


class Model(nn.Module):
    def __init__(self, kept):
        super().__init__()
        self.kept = kept

    def forward(self, q, summaries, keys, values):
        fit = torch.einsum("hd,hpd->hp", q, summaries)
        page = torch.topk(fit, self.kept, dim=-1).indices
        head = torch.arange(q.shape[0])[:, None]
        k, v = keys[head, page].flatten(1, 2), values[head, page].flatten(1, 2)
        scores = torch.einsum("hd,htd->ht", q, k) / math.sqrt(q.shape[-1])
        return torch.einsum("ht,htd->hd", torch.softmax(scores, dim=-1), v)


def get_inputs():
    q, summaries = torch.randn(HEADS, HEAD_DIM), torch.randn(HEADS, PAGES, HEAD_DIM)
    keys, values = (torch.randn(HEADS, PAGES, PAGE, HEAD_DIM) for _ in range(2))
    return [q, summaries, keys, values]


def get_init_inputs():
    return [KEPT]
