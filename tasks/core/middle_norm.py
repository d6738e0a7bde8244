"""Euclidean norm over the middle dimension of a batch of feature maps."""

import torch
from torch import nn

BATCH, CHANNELS, PIXELS = 32, 128, 1024

TASK = {
    "title": "Norm over channels",
    "category": "reduction",
    "level": 1,
    "shapes": [{"BATCH": 3, "CHANNELS": 37, "PIXELS": 211}],
    "hidden": [{"BATCH": 2, "CHANNELS": 65, "PIXELS": 129}],
    "operations": "2 * BATCH * CHANNELS * PIXELS",
    "bytes_moved": "4 * (BATCH * CHANNELS * PIXELS + BATCH * PIXELS)",
}


class Model(nn.Module):
    def forward(self, x):
        return torch.sqrt((x * x).sum(dim=1))


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, PIXELS)]
