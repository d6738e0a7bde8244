"""Feature maps rolled and cut into windows for attention within each."""

import torch
from torch import nn

BATCH, ROWS, COLS, CHANNELS, WINDOW = 2, 7, 7, 48, 8

TASK = {
    "title": "Shifted windows",
    "category": "resize and layout",
    "level": 2,
    "shapes": [{"BATCH": 3, "ROWS": 3, "COLS": 5, "CHANNELS": 13, "WINDOW": 5}],
    "hidden": [{"BATCH": 1, "ROWS": 5, "COLS": 2, "CHANNELS": 21, "WINDOW": 7}],
}


class Model(nn.Module):
    def __init__(self, window):
        super().__init__()
        self.window = window

    def forward(self, x):
        shift = self.window // 2
        x = torch.roll(x, shifts=(-shift, -shift), dims=(1, 2))
        x = x.unflatten(2, (-1, self.window)).unflatten(1, (-1, self.window))
        return x.transpose(2, 3).flatten(3, 4).flatten(0, 2)


def get_inputs():
    return [torch.randn(BATCH, ROWS * WINDOW, COLS * WINDOW, CHANNELS)]


def get_init_inputs():
    return [WINDOW]
