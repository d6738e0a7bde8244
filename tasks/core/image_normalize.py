"""Bytes of images to numbers: scaled, shifted and put channel by channel."""

import torch
from torch import nn

BATCH, HEIGHT, WIDTH = 4, 96, 96

TASK = {
    "title": "Bytes of images to normalised planes",
    "category": "elementwise and broadcast",
    "level": 2,
    "shapes": [{"BATCH": 3, "HEIGHT": 37, "WIDTH": 29}],
    "hidden": [{"BATCH": 1, "HEIGHT": 51, "WIDTH": 43}],
}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Parameter(torch.tensor([0.48, 0.45, 0.4]))
        self.scale = nn.Parameter(torch.tensor([4.3, 4.5, 4.4]))

    def forward(self, image):
        return ((image / 255 - self.mean) * self.scale).permute(0, 3, 1, 2).contiguous()


def get_inputs():
    return [torch.randint(0, 256, (BATCH, HEIGHT, WIDTH, 3), dtype=torch.uint8)]
