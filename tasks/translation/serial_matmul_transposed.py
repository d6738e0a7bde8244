"""A matrix times another, transposed."""

import torch
from torch import nn

M, N, K = 192, 160, 256

TASK = {
    "title": "Product with a transposed matrix, from sequential C++",
    "category": "matmul",
    "level": 1,
    "shapes": [{"M": 61, "N": 83, "K": 127}],
    "hidden": [{"M": 37, "N": 45, "K": 71}],
    "operations": "2 * M * N * K",
    "start": "start/serial_matmul_transposed.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def forward(self, a, b):
        return a @ b.T


def get_inputs():
    return [torch.randn(M, K), torch.randn(N, K)]
