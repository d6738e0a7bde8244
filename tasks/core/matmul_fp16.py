"""Product of two matrices in half precision."""

import torch
from torch import nn

M, N, K = 128, 160, 192

TASK = {
    "title": "Matrix product, float16",
    "category": "matmul",
    "level": 1,
    "tolerance": "fp16",
    "dtypes": ["float16"],
    "shapes": [{"M": 37, "N": 61, "K": 77}],
    "hidden": [{"M": 19, "N": 45, "K": 131}],
}


class Model(nn.Module):
    def forward(self, a, b):
        return a @ b


def get_inputs():
    return [torch.randn(M, K).half(), torch.randn(K, N).half()]
