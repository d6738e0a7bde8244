"""Group norm and SiLU, as in the blocks of a diffusion model's U-Net."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH, GROUPS = 4, 128, 64, 64, 32

TASK = {
    "title": "Group norm and SiLU",
    "category": "normalisation",
    "level": 2,
    "shapes": [{"BATCH": 1, "CHANNELS": 48, "HEIGHT": 17, "WIDTH": 23, "GROUPS": 8}],
    "hidden": [{"BATCH": 3, "CHANNELS": 35, "HEIGHT": 13, "WIDTH": 11, "GROUPS": 7}],
    "operations": "12 * BATCH * CHANNELS * HEIGHT * WIDTH",
    "bytes_moved": "4 * (2 * BATCH * CHANNELS * HEIGHT * WIDTH + 2 * CHANNELS)",
}


class Model(nn.Module):
    def __init__(self, groups, channels):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)

    def forward(self, x):
        return F.silu(self.norm(x))


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]


def get_init_inputs():
    return [GROUPS, CHANNELS]
