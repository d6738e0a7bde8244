"""Product of two matrices, the first of which lies transposed: a weight gradient."""

import torch
from torch import nn

M, N, K = 256, 256, 384

TASK = {
    "title": "Matrix product, first operand transposed",
    "category": "matmul",
    "level": 1,
    "shapes": [{"M": 67, "N": 45, "K": 131}],
    "hidden": [{"M": 29, "N": 77, "K": 211}],
}


class Model(nn.Module):
    def forward(self, a, b):
        return a.t() @ b


def get_inputs():
    return [torch.randn(K, M), torch.randn(K, N)]
