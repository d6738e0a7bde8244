"""What the experts made of each token, weighted and added: FlashMoE (arXiv:2506.04667)."""

import torch
from torch import nn

TOKENS, EXPERTS, CAPACITY, WIDTH = 256, 8, 80, 64

TASK = {
    "title": "Mixture of experts: combine",
    "category": "embedding and indexing",
    "level": 2,
    "full": [{"TOKENS": 8192, "EXPERTS": 64, "CAPACITY": 320, "WIDTH": 2048}],
    "bytes_moved": "4 * 2 * TOKENS * WIDTH",
    "shapes": [{"TOKENS": 61, "EXPERTS": 5, "CAPACITY": 13, "WIDTH": 37}],
    "hidden": [{"TOKENS": 37, "EXPERTS": 3, "CAPACITY": 17, "WIDTH": 21}],
}


class Model(nn.Module):
    def forward(self, made, expert, place, weight):
        share = torch.softmax(weight, dim=-1).unsqueeze(-1)
        return (made[expert, place] * share).sum(dim=1)


def get_inputs():
    made = torch.randn(EXPERTS, CAPACITY, WIDTH)
    expert = torch.randint(0, EXPERTS, (TOKENS, 2))
    place = torch.randint(0, CAPACITY, (TOKENS, 2))
    return [made, expert, place, torch.randn(TOKENS, 2)]
