"""Crop, resize, swap of colours, scale, shift, planes: Fused Kernel Library (arXiv:2508.07071)."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, HEIGHT, WIDTH, TALL, WIDE = 2, 80, 96, 48, 40

TASK = {
    "title": "Chain of image pre-processing",
    "category": "resize and layout",
    "level": 3,
    "full": [{"BATCH": 50, "HEIGHT": 1080, "WIDTH": 1920, "TALL": 128, "WIDE": 64}],
    "shapes": [{"BATCH": 3, "HEIGHT": 37, "WIDTH": 41, "TALL": 19, "WIDE": 23}],
    "hidden": [{"BATCH": 1, "HEIGHT": 45, "WIDTH": 31, "TALL": 27, "WIDE": 13}],
}


class Model(nn.Module):
    def __init__(self, tall, wide):
        super().__init__()
        self.size = (tall, wide)
        self.scale = nn.Parameter(torch.tensor([0.017, 0.0175, 0.0174]))
        self.shift = nn.Parameter(torch.tensor([-2.1, -2.0, -1.8]))

    def forward(self, frame):
        crop = frame[:, 4:-4, 6:-6].permute(0, 3, 1, 2).to(self.scale.dtype)
        small = F.interpolate(crop, size=self.size, mode="bilinear", align_corners=False)
        swapped = small.flip(1)
        return swapped * self.scale[:, None, None] + self.shift[:, None, None]


def get_inputs():
    return [torch.randint(0, 256, (BATCH, HEIGHT, WIDTH, 3), dtype=torch.uint8)]


def get_init_inputs():
    return [TALL, WIDE]
