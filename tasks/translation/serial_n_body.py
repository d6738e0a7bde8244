"""Accelerations of bodies that attract each other, softened where they meet."""

import torch
from torch import nn

BODIES = 512

TASK = {
    "title": "Accelerations of n bodies, from sequential C++",
    "category": "n-body",
    "level": 2,
    "shapes": [{"BODIES": 97}],
    "hidden": [{"BODIES": 131}],
    "start": "start/serial_n_body.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def forward(self, position, mass):
        apart = position.unsqueeze(0) - position.unsqueeze(1)
        distance = (apart * apart).sum(dim=-1) + 0.01
        pull = mass * distance.rsqrt() / distance
        return (pull.unsqueeze(-1) * apart).sum(dim=1)


def get_inputs():
    return [torch.randn(BODIES, 3), torch.rand(BODIES)]
