"""The short causal convolution of a state-space model's block: four taps a channel, SiLU."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, TOKENS, TAPS = 2, 512, 1024, 4

TASK = {
    "title": "Causal depthwise convolution and SiLU",
    "category": "convolution",
    "level": 2,
    "shapes": [{"BATCH": 1, "CHANNELS": 37, "TOKENS": 259, "TAPS": 4}],
    "hidden": [{"BATCH": 3, "CHANNELS": 19, "TOKENS": 131, "TAPS": 3}],
    "operations": "BATCH * CHANNELS * TOKENS * (2 * TAPS + 4)",
    "bytes_moved": "4 * (2 * BATCH * CHANNELS * TOKENS + CHANNELS * (TAPS + 1))",
}


class Model(nn.Module):
    def __init__(self, channels, taps):
        super().__init__()
        self.taps = taps
        self.conv = nn.Conv1d(channels, channels, kernel_size=taps, groups=channels)

    def forward(self, x):
        return F.silu(self.conv(F.pad(x, (self.taps - 1, 0))))


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, TOKENS)]


def get_init_inputs():
    return [CHANNELS, TAPS]
