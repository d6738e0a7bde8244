"""Products of many small matrices."""

import torch
from torch import nn

BATCH, M, N, K = 32, 64, 64, 48

TASK = {
    "title": "Batched matrix product",
    "category": "matmul",
    "level": 1,
    "shapes": [{"BATCH": 5, "M": 37, "N": 29, "K": 41}],
    "hidden": [{"BATCH": 7, "M": 19, "N": 51, "K": 23}],
}


class Model(nn.Module):
    def forward(self, a, b):
        return torch.bmm(a, b)


def get_inputs():
    return [torch.randn(BATCH, M, K), torch.randn(BATCH, K, N)]
