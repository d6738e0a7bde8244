"""One level of a U-Net: down by a strided convolution, up again, and joined with what was there."""

import torch
from torch import nn

BATCH, CHANNELS, INNER, HEIGHT, WIDTH = 1, 12, 24, 32, 32

TASK = {
    "title": "One level of a U-Net",
    "category": "full architectures",
    "level": 4,
    "shapes": [{"BATCH": 2, "CHANNELS": 5, "INNER": 7, "HEIGHT": 14, "WIDTH": 18}],
    "hidden": [{"BATCH": 1, "CHANNELS": 7, "INNER": 9, "HEIGHT": 22, "WIDTH": 10}],
}


class Model(nn.Module):
    def __init__(self, channels, inner):
        super().__init__()
        self.down = nn.Conv2d(channels, inner, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1)
        self.up = nn.ConvTranspose2d(inner, channels, 2, stride=2)
        self.join = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, x):
        y = torch.relu(self.down(x))
        y = torch.relu(self.middle(y))
        return self.join(torch.cat((x, torch.relu(self.up(y))), dim=1))


def get_inputs():
    return [2 * torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [CHANNELS, INNER]
