"""Average pool 2x2 between the blocks of a DenseNet."""

import torch
from torch import nn

BATCH, CHANNELS, HEIGHT, WIDTH = 8, 128, 56, 56

TASK = {
    "title": "Average pool 2x2",
    "category": "pooling",
    "level": 1,
    "shapes": [{"BATCH": 3, "CHANNELS": 17, "HEIGHT": 30, "WIDTH": 46}],
    "hidden": [{"BATCH": 2, "CHANNELS": 5, "HEIGHT": 22, "WIDTH": 74}],
    "operations": "BATCH * CHANNELS * HEIGHT * WIDTH",
    "bytes_moved": "4 * 5 * BATCH * CHANNELS * HEIGHT * WIDTH / 4",
}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]
