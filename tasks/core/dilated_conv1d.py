"""A causal convolution with gaps between its taps, as in networks that make sound."""

import torch
from torch import nn

BATCH, CHANNELS, STEPS, DILATION = 2, 48, 512, 8

TASK = {
    "title": "Dilated causal convolution with a gate",
    "category": "convolution",
    "level": 2,
    "shapes": [{"BATCH": 3, "CHANNELS": 13, "STEPS": 131, "DILATION": 4}],
    "hidden": [{"BATCH": 1, "CHANNELS": 21, "STEPS": 203, "DILATION": 5}],
}


class Model(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.conv = nn.Conv1d(channels, 2 * channels, kernel_size=2, dilation=dilation)

    def forward(self, x):
        late = nn.functional.pad(x, (self.conv.dilation[0], 0))
        filtered, gate = self.conv(late).chunk(2, dim=1)
        return torch.tanh(filtered) * torch.sigmoid(gate)


def get_inputs():
    return [torch.randn(BATCH, CHANNELS, STEPS)]


def get_init_inputs():
    return [CHANNELS, DILATION]
