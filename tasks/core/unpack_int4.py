"""Two numbers of four bits in each byte, made whole again with a scale and a zero point for each row."""

import torch
from torch import nn

ROWS, PAIRS = 512, 512

TASK = {
    "title": "Four-bit numbers to floats",
    "category": "elementwise and broadcast",
    "level": 2,
    "shapes": [{"ROWS": 61, "PAIRS": 131}],
    "hidden": [{"ROWS": 37, "PAIRS": 203}],
}


class Model(nn.Module):
    def forward(self, packed, scale, zero):
        both = torch.stack((packed & 15, packed >> 4), dim=-1).flatten(1)
        return (both - zero[:, None]) * scale[:, None]


def get_inputs():
    packed = torch.randint(0, 256, (ROWS, PAIRS), dtype=torch.uint8)
    return [packed, torch.rand(ROWS) + 0.1, 15 * torch.rand(ROWS)]
