"""Each row filled with its mean."""

import torch
from torch import nn

ROWS, WIDTH = 128, 512


class Model(nn.Module):
    def forward(self, x):
        return x.mean(dim=1, keepdim=True) + torch.zeros_like(x).clamp(0, 0)


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]
