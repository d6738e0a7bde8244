"""Rows added up by the number they carry: sums over the neighbours of a graph's nodes."""

import torch
from torch import nn

ROWS, NODES, WIDTH = 4096, 512, 64

TASK = {
    "title": "Sum of rows by index",
    "category": "embedding and indexing",
    "level": 2,
    "shapes": [{"ROWS": 517, "NODES": 77, "WIDTH": 37}],
    "hidden": [{"ROWS": 301, "NODES": 45, "WIDTH": 21}],
}


class Model(nn.Module):
    def forward(self, start, rows, node):
        return start.index_add(0, node, rows)


def get_inputs():
    node = torch.randint(0, NODES, (ROWS,))
    return [torch.randn(NODES, WIDTH), torch.randn(ROWS, WIDTH), node]
