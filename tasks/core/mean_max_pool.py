"""Mean and maximum of each feature map, side by side."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 8, 96, 20, 20

TASK = {
    "title": "Global mean and maximum",
    "category": "pooling",
    "level": 2,
    "shapes": [{"BATCH": 3, "CHANNELS": 21, "HEIGHT": 13, "WIDTH": 9}],
    "hidden": [{"BATCH": 5, "CHANNELS": 37, "HEIGHT": 7, "WIDTH": 15}],
}


class Model(nn.Module):
    def forward(self, x):
        flat = x.flatten(2)
        return torch.cat((flat.mean(dim=-1), flat.amax(dim=-1)), dim=1)


def get_inputs():
    shade = torch.randn(BATCH, CHANNELS, 1, 1)
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH) + shade]
