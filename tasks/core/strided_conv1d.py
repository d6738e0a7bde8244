"""The first layer of a speech network: long taps over a waveform, few of their positions kept."""

import torch
from torch import nn

BATCH, CHANNELS, SAMPLES = 2, 64, 4000

TASK = {
    "title": "Strided convolution of a waveform",
    "category": "convolution",
    "level": 1,
    "shapes": [{"BATCH": 3, "CHANNELS": 21, "SAMPLES": 1003}],
    "hidden": [{"BATCH": 1, "CHANNELS": 37, "SAMPLES": 1507}],
}


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv1d(1, channels, kernel_size=10, stride=5)

    def forward(self, x):
        return torch.relu(self.conv(x))


def get_inputs():
    return [torch.randn(BATCH, 1, SAMPLES)]


def get_init_inputs():
    return [CHANNELS]
