"""Weights of one to eight bits, stored as bit planes, as Tilus supports them (arXiv:2504.12984)."""

import torch
from torch import nn

TOKENS, INPUTS, OUTPUTS, BITS = 8, 256, 128, 3

TASK = {
    "title": "Product with weights of 1 to 8 bits",
    "category": "matmul",
    "level": 3,
    "full": [{"TOKENS": 16, "INPUTS": 8192, "OUTPUTS": 8192, "BITS": 3}],
    "shapes": [
        {"BITS": 1},
        {"BITS": 2},
        {"TOKENS": 3, "INPUTS": 72, "OUTPUTS": 37, "BITS": 5},
        {"TOKENS": 3, "INPUTS": 72, "OUTPUTS": 37, "BITS": 6},
        {"TOKENS": 1, "INPUTS": 40, "OUTPUTS": 61, "BITS": 8},
    ],
    "hidden": [
        {"TOKENS": 5, "INPUTS": 56, "OUTPUTS": 45, "BITS": 4},
        {"TOKENS": 3, "INPUTS": 104, "OUTPUTS": 29, "BITS": 7},
    ],
}


class Model(nn.Module):
    def forward(self, x, planes, scale, zero):
        place = torch.arange(8)
        bits = (planes.int().unsqueeze(-1) >> place) & 1
        power = 2 ** torch.arange(planes.shape[0])
        weight = (bits.flatten(2) * power[:, None, None]).sum(dim=0)
        return (x @ (weight - zero[:, None]).t()) * scale


def get_inputs():
    planes = torch.randint(0, 256, (BITS, OUTPUTS, INPUTS // 8), dtype=torch.uint8)
    zero = 2**BITS * torch.rand(OUTPUTS)
    return [torch.randn(TOKENS, INPUTS), planes, 0.01 + 0.1 * torch.rand(OUTPUTS), zero]
