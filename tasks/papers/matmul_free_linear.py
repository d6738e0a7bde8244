"""Norm, then weights that are -1, 0 or 1: a linear layer without products (arXiv:2406.02528)."""

import torch
from torch import nn

TOKENS, INPUTS, OUTPUTS = 64, 256, 192

TASK = {
    "title": "Ternary linear with RMS norm",
    "category": "matmul",
    "level": 3,
    "full": [{"TOKENS": 2048, "INPUTS": 2048, "OUTPUTS": 5632}],
    "shapes": [{"TOKENS": 13, "INPUTS": 131, "OUTPUTS": 77}],
    "hidden": [{"TOKENS": 29, "INPUTS": 67, "OUTPUTS": 45}],
}


class Model(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(inputs))

    def forward(self, x, sign, scale):
        x = x * torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + 1e-6) * self.gain
        return (x @ sign.to(x.dtype).t()) * scale


def get_inputs():
    sign = torch.randint(-1, 2, (OUTPUTS, INPUTS), dtype=torch.int8)
    return [torch.randn(TOKENS, INPUTS), sign, 0.5 + torch.rand(1)]


def get_init_inputs():
    return [INPUTS]
