"""Probabilities of the two best experts for each token, made to sum to one."""

import torch
from torch import nn

TOKENS, WIDTH, EXPERTS = 256, 128, 16

TASK = {
    "title": "Router of a mixture of experts",
    "category": "fused blocks",
    "level": 2,
    "shapes": [{"TOKENS": 67, "WIDTH": 37, "EXPERTS": 8}],
    "hidden": [{"TOKENS": 131, "WIDTH": 45, "EXPERTS": 11}],
}


class Model(nn.Module):
    def __init__(self, width, experts):
        super().__init__()
        self.router = nn.Linear(width, experts, bias=False)

    def forward(self, x):
        best = torch.topk(self.router(x), 2, dim=-1).values
        return torch.softmax(best, dim=-1)


def get_inputs():
    return [2 * torch.randn(TOKENS, WIDTH)]


def get_init_inputs():
    return [WIDTH, EXPERTS]
