"""Product of two sparse matrices, equally many entries in each row (doi:10.1145/355791.355796)."""

import torch
from torch import nn

ROWS, INNER, COLS, LEFT, RIGHT = 256, 192, 256, 6, 6

TASK = {
    "title": "Sparse times sparse",
    "category": "matmul",
    "level": 3,
    "full": [{"ROWS": 16384, "INNER": 16384, "COLS": 4096, "LEFT": 16, "RIGHT": 16}],
    "shapes": [{"ROWS": 61, "INNER": 37, "COLS": 77, "LEFT": 5, "RIGHT": 3}],
    "hidden": [{"ROWS": 37, "INNER": 45, "COLS": 51, "LEFT": 4, "RIGHT": 7}],
}


class Model(nn.Module):
    def __init__(self, cols):
        super().__init__()
        self.cols = cols

    def forward(self, left, left_values, right, right_values):
        products = left_values.unsqueeze(-1) * right_values[left]
        places = right[left].flatten(1)
        result = products.new_zeros(left.shape[0], self.cols)
        return result.scatter_add(1, places, products.flatten(1))


def get_inputs():
    left = torch.rand(ROWS, INNER).argsort(dim=1)[:, :LEFT].contiguous()
    right = torch.rand(INNER, COLS).argsort(dim=1)[:, :RIGHT].contiguous()
    return [left, torch.randn(ROWS, LEFT), right, torch.randn(INNER, RIGHT)]


def get_init_inputs():
    return [COLS]
