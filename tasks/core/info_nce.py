"""Contrastive loss: each row of one view has to find its partner among all rows of the other."""

import torch
from torch import nn

ROWS, WIDTH = 192, 64

TASK = {
    "title": "InfoNCE",
    "category": "loss",
    "level": 3,
    "shapes": [{"ROWS": 45, "WIDTH": 37}],
    "hidden": [{"ROWS": 77, "WIDTH": 21}],
}


class Model(nn.Module):
    def __init__(self, temperature):
        super().__init__()
        self.temperature = temperature

    def forward(self, one, other):
        one = one / one.norm(dim=-1, keepdim=True)
        other = other / other.norm(dim=-1, keepdim=True)
        alike = one @ other.t() / self.temperature
        return torch.logsumexp(alike, dim=-1) - alike.diagonal()


def get_inputs():
    one = torch.randn(ROWS, WIDTH)
    return [one, one + torch.randn(ROWS, WIDTH)]


def get_init_inputs():
    return [0.2]
