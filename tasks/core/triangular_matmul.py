"""A lower triangular matrix times another: what lies above the diagonal does not count."""

import torch
from torch import nn

SIZE, COLS = 320, 256

TASK = {
    "title": "Triangular matrix product",
    "category": "matmul",
    "level": 1,
    "operations": "SIZE * (SIZE + 1) * COLS",
    "bytes_moved": "4 * (SIZE * (SIZE + 1) / 2 + 2 * SIZE * COLS)",
    "shapes": [{"SIZE": 77, "COLS": 45}],
    "hidden": [{"SIZE": 51, "COLS": 131}],
}


class Model(nn.Module):
    def forward(self, a, b):
        return torch.tril(a) @ b


def get_inputs():
    return [torch.randn(SIZE, SIZE), torch.randn(SIZE, COLS)]
