"""Messages of a graph network: features of both ends of each edge, weighted, through ReLU."""

import torch
from torch import nn

NODES, EDGES, WIDTH = 8192, 16384, 64

TASK = {
    "title": "Messages along the edges of a graph",
    "category": "embedding and indexing",
    "level": 2,
    "shapes": [{"NODES": 517, "EDGES": 1031, "WIDTH": 24}],
    "hidden": [{"NODES": 301, "EDGES": 2003, "WIDTH": 13}],
    "operations": "3 * EDGES * WIDTH",
    # The nodes that random edges touch, messages and weights; then the ends of the edges.
    "bytes_moved": "4 * (WIDTH * NODES * (1 - (1 - 1 / NODES) ** (2 * EDGES))"
    " + EDGES * WIDTH + EDGES) + 2 * 8 * EDGES",
}


class Model(nn.Module):
    def forward(self, x, source, target, weight):
        return torch.relu(x[source] - x[target]) * weight.unsqueeze(-1)


def get_inputs():
    source, target = torch.randint(0, NODES, (EDGES,)), torch.randint(0, NODES, (EDGES,))
    return [torch.randn(NODES, WIDTH), source, target, torch.randn(EDGES)]
