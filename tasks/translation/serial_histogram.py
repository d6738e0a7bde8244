"""How often each value occurs in each row."""

import torch
from torch import nn

ROWS, ITEMS, BINS = 64, 8192, 256

TASK = {
    "title": "Histogram of rows, from sequential C++",
    "category": "histogram",
    "level": 1,
    "shapes": [{"ROWS": 7, "ITEMS": 1021, "BINS": 61}],
    "hidden": [{"ROWS": 11, "ITEMS": 517, "BINS": 37}],
    "start": "start/serial_histogram.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def __init__(self, bins):
        super().__init__()
        self.bins = bins

    def forward(self, value):
        counts = value.new_zeros(value.shape[0], self.bins)
        return counts.scatter_add(1, value, torch.ones_like(value))


def get_inputs():
    return [torch.randint(0, BINS, (ROWS, ITEMS))]


def get_init_inputs():
    return [BINS]
