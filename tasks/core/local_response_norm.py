"""Each channel is damped by the energy of its neighbours among the channels."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CHANNELS, HEIGHT, WIDTH = 4, 48, 27, 27

TASK = {
    "title": "Local response norm over channels",
    "category": "normalisation",
    "level": 2,
    "shapes": [{"BATCH": 2, "CHANNELS": 17, "HEIGHT": 13, "WIDTH": 19}],
    "hidden": [{"BATCH": 1, "CHANNELS": 29, "HEIGHT": 21, "WIDTH": 15}],
}


class Model(nn.Module):
    def forward(self, x):
        return F.local_response_norm(x, size=5, alpha=0.5, beta=0.75, k=2.0)


def get_inputs():
    return [2 * torch.randn(BATCH, CHANNELS, HEIGHT, WIDTH)]
