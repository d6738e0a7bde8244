"""Correlations between the channels of feature maps, as a measure of style."""

import torch
from torch import nn

BATCH, CHANNELS, PIXELS = 4, 96, 784

TASK = {
    "title": "Gram matrix of feature maps",
    "category": "matmul",
    "level": 2,
    "shapes": [{"BATCH": 3, "CHANNELS": 37, "PIXELS": 131}],
    "hidden": [{"BATCH": 2, "CHANNELS": 51, "PIXELS": 259}],
}


class Model(nn.Module):
    def forward(self, x):
        return x @ x.transpose(1, 2) / x.shape[2]


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, PIXELS) + 0.2]
