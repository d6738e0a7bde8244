"""Overlap of predicted and true masks, one loss for each small region."""

import torch
from torch import nn

BATCH, HEIGHT, WIDTH = 1024, 8, 8

TASK = {
    "title": "Dice loss",
    "category": "loss",
    "level": 2,
    "shapes": [{"BATCH": 61, "HEIGHT": 7, "WIDTH": 11}],
    "hidden": [{"BATCH": 37, "HEIGHT": 5, "WIDTH": 13}],
}


class Model(nn.Module):
    def forward(self, logits, mask):
        p = torch.sigmoid(logits).flatten(1)
        truth = mask.flatten(1).to(p.dtype)
        both = (p * truth).sum(dim=1)
        return 1 - 2 * both / (p.sum(dim=1) + truth.sum(dim=1))


def get_inputs():
    share = torch.rand(BATCH, 1, 1)
    mask = torch.rand(BATCH, HEIGHT, WIDTH) < share
    return [2 * torch.randn(BATCH, HEIGHT, WIDTH) + 3 * mask, mask]
