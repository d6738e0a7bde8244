"""Rows of messages added to the nodes they go to, then averaged."""

import torch
from torch import nn

MESSAGES, NODES, WIDTH = 4096, 512, 64

TASK = {
    "title": "Mean of messages by node, from a serial kernel",
    "category": "embedding and indexing",
    "level": 2,
    "shapes": [{"MESSAGES": 517, "NODES": 77, "WIDTH": 37}],
    "hidden": [{"MESSAGES": 301, "NODES": 45, "WIDTH": 21}],
    "start": "start/scatter_rows_serial.py",
}


class Model(nn.Module):
    def forward(self, state, messages, node):
        total = torch.zeros_like(state).index_add(0, node, messages)
        count = torch.zeros_like(state[:, 0]).index_add(0, node, torch.ones_like(messages[:, 0]))
        return state + total / count.clamp(min=1.0).unsqueeze(1)


def get_inputs():
    node = torch.randint(0, NODES, (MESSAGES,))
    return [torch.randn(NODES, WIDTH), torch.randn(MESSAGES, WIDTH), node]
