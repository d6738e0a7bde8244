"""Rows with mean 0 and variance 1."""

import torch
from torch import nn

ROWS, WIDTH = 128, 512


class Model(nn.Module):
    def forward(self, x):
        x = x - x.mean(dim=1, keepdim=True)
        return x / x.square().mean(dim=1, keepdim=True).add(1e-5).sqrt()


def get_inputs():
    return [torch.randn(ROWS, WIDTH)]
