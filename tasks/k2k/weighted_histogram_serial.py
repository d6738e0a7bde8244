"""Weights added up by the bin they fall into, for each row."""

import torch
from torch import nn

ROWS, ITEMS, BINS = 64, 8192, 256

TASK = {
    "title": "Weighted histogram, from a serial kernel",
    "category": "embedding and indexing",
    "level": 1,
    "shapes": [{"ROWS": 7, "ITEMS": 1021, "BINS": 61}],
    "hidden": [{"ROWS": 11, "ITEMS": 517, "BINS": 37}],
    "start": "start/weighted_histogram_serial.py",
}


class Model(nn.Module):
    def __init__(self, bins):
        super().__init__()
        self.bins = bins

    def forward(self, bin, weight):
        return weight.new_zeros(weight.shape[0], self.bins).scatter_add(1, bin, weight)


def get_inputs():
    return [torch.randint(0, BINS, (ROWS, ITEMS)), torch.randn(ROWS, ITEMS)]


def get_init_inputs():
    return [BINS]
