"""Product of two matrices."""

import torch
from torch import nn

M, N, K = 256, 288, 320

TASK = {
    "title": "Matrix product",
    "category": "matmul",
    "level": 1,
    "shapes": [{"M": 61, "N": 131, "K": 77}, {"M": 1, "N": 64, "K": 128}],
    "hidden": [{"M": 37, "N": 45, "K": 203}],
}


class Model(nn.Module):
    def forward(self, a, b):
        return a @ b


def get_inputs():
    return [torch.randn(M, K), torch.randn(K, N)]
