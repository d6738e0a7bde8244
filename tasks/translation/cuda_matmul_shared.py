"""Product of two matrices."""

import torch
from torch import nn

M, N, K = 160, 192, 128

TASK = {
    "title": "Matrix product, from CUDA",
    "category": "matmul",
    "level": 2,
    "shapes": [{"M": 61, "N": 83, "K": 127}],
    "hidden": [{"M": 37, "N": 45, "K": 71}],
    "operations": "2 * M * N * K",
    "start": "start/cuda_matmul_shared.py",
    "translate_to": ["cpp"],
}


class Model(nn.Module):
    def forward(self, a, b):
        return a @ b


def get_inputs():
    return [torch.randn(M, K), torch.randn(K, N)]
