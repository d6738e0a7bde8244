"""The 3x3 max-pool with stride 2 at the start of a ResNet."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 2, 64, 112, 112

TASK = {
    "title": "Max-pool 3x3, stride 2",
    "category": "pooling",
    "level": 1,
    "shapes": [{"BATCH": 1, "CHANNELS": 13, "HEIGHT": 37, "WIDTH": 53}],
    "hidden": [{"BATCH": 3, "CHANNELS": 7, "HEIGHT": 29, "WIDTH": 41}],
    "operations": "9 * BATCH * CHANNELS * HEIGHT * WIDTH / 4",
    "bytes_moved": "4 * 5 * BATCH * CHANNELS * HEIGHT * WIDTH / 4",
}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]
