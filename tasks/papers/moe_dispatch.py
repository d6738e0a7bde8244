"""Tokens sent to the places that a router gave them in buffers of experts: Tutel (arXiv:2206.03382)."""

import torch
from torch import nn

TOKENS, EXPERTS, CAPACITY, WIDTH = 256, 8, 48, 64

TASK = {
    "title": "Mixture of experts: dispatch",
    "category": "embedding and indexing",
    "level": 2,
    "full": [{"TOKENS": 8192, "EXPERTS": 64, "CAPACITY": 160, "WIDTH": 2048}],
    "shapes": [{"TOKENS": 61, "EXPERTS": 5, "CAPACITY": 13, "WIDTH": 37}],
    "hidden": [{"TOKENS": 37, "EXPERTS": 3, "CAPACITY": 17, "WIDTH": 21}],
}


class Model(nn.Module):
    def __init__(self, experts, capacity):
        super().__init__()
        self.experts = experts
        self.capacity = capacity

    def forward(self, x, expert):
        chosen = nn.functional.one_hot(expert, self.experts)
        place = ((chosen.cumsum(dim=0) - 1) * chosen).sum(dim=-1)
        room = place < self.capacity
        slot = torch.where(room, expert * self.capacity + place, self.experts * self.capacity)
        buffer = x.new_zeros(self.experts * self.capacity + 1, x.shape[1])
        buffer = buffer.index_copy(0, slot, x)
        return buffer[:-1].unflatten(0, (self.experts, self.capacity))


def get_inputs():
    return [torch.randn(TOKENS, WIDTH), torch.randint(0, EXPERTS, (TOKENS,))]


def get_init_inputs():
    return [EXPERTS, CAPACITY]
