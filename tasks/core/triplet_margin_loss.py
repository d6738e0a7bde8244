"""Mean triplet loss over embeddings: a positive must be nearer than a negative by a margin."""

import torch
from torch import nn

ROWS, WIDTH, MARGIN = 4096, 384, 1.0

TASK = {
    "title": "Triplet margin loss",
    "category": "loss",
    "level": 2,
    "shapes": [{"ROWS": 259, "WIDTH": 131}],
    "hidden": [{"ROWS": 131, "WIDTH": 213}],
    "operations": "6 * ROWS * WIDTH",
    "bytes_moved": "4 * 3 * ROWS * WIDTH + 4",
}


class Model(nn.Module):
    def forward(self, anchor, positive, negative):
        near = (anchor - positive).pow(2).sum(dim=-1).sqrt()
        far = (anchor - negative).pow(2).sum(dim=-1).sqrt()
        return torch.relu(near - far + MARGIN).mean()


def get_inputs():
    anchor = torch.randn(ROWS, WIDTH)
    distance = 1 + (0.4 + 0.6 * torch.rand(())) * torch.rand(ROWS, 1)
    positive = anchor + distance * torch.randn(ROWS, WIDTH)
    return [anchor, positive, torch.randn(ROWS, WIDTH)]
