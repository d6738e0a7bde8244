"""The mean of each row, spread over the row without a copy."""

import torch
from torch import nn

ROWS, WIDTH = 128, 512


class Model(nn.Module):
    def forward(self, x):
        return x.mean(dim=1, keepdim=True).expand(x.shape)


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]
