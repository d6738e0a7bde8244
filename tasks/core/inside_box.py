"""Which points lie inside a box, edges included: truth values come out."""

import torch
from torch import nn

POINTS = 65536

TASK = {
    "title": "Points inside a box",
    "category": "elementwise and broadcast",
    "level": 1,
    "shapes": [{"POINTS": 1003}],
    "hidden": [{"POINTS": 4099}],
}


class Model(nn.Module):
    def forward(self, points, low, high):
        return ((points >= low) & (points <= high)).all(dim=-1)


def get_inputs():
    points = torch.randint(-8, 9, (POINTS, 3)) * 0.5
    low, high = -0.5 * torch.randint(2, 7, (3,)), 0.5 * torch.randint(2, 7, (3,))
    return [points, low, high]
