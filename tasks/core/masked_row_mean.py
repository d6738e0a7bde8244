"""Mean over the tokens of each sentence that are not padding."""

import torch
from torch import nn

BATCH, TOKENS, WIDTH = 16, 128, 256

TASK = {
    "title": "Mean over kept tokens",
    "category": "reduction",
    "level": 2,
    "shapes": [{"BATCH": 3, "TOKENS": 37, "WIDTH": 131}],
    "hidden": [{"BATCH": 5, "TOKENS": 61, "WIDTH": 67}],
}


class Model(nn.Module):
    def forward(self, x, keep):
        weight = keep.to(x.dtype).unsqueeze(-1)
        return (x * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)


def get_inputs():
    return [torch.randn(BATCH, TOKENS, WIDTH), torch.rand(BATCH, TOKENS) < 0.05]
