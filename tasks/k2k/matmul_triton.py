"""Product of two matrices."""

import torch
from torch import nn

M, N, K = 512, 512, 256

TASK = {
    "title": "Matrix product, from a Triton kernel",
    "category": "matmul",
    "level": 1,
    "shapes": [{"M": 61, "N": 83, "K": 127}],
    "hidden": [{"M": 97, "N": 45, "K": 71}],
    "operations": "2 * M * N * K",
    "start": "start/matmul_triton.py",
}


class Model(nn.Module):
    def forward(self, a, b):
        return a @ b


def get_inputs():
    return [torch.randn(M, K), torch.randn(K, N)]
