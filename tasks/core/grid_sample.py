"""Images read at places that a flow field moves: bilinear, nothing beyond the edges."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH = 2, 8, 48, 48

TASK = {
    "title": "Warp of images by a flow field",
    "category": "resize and layout",
    "level": 2,
    "shapes": [{"BATCH": 1, "CHANNELS": 3, "HEIGHT": 19, "WIDTH": 23}],
    "hidden": [{"BATCH": 3, "CHANNELS": 5, "HEIGHT": 13, "WIDTH": 17}],
}


class Model(nn.Module):
    def forward(self, x, grid):
        return F.grid_sample(x, grid, mode="bilinear", align_corners=False)


def get_inputs():
    x = torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)
    return [x, 2.2 * torch.rand(BATCH, HEIGHT, WIDTH, 2) - 1.1]
