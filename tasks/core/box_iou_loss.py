"""One less the overlap of predicted and true boxes, each given by two corners."""

import torch
from torch import nn

BOXES = 16384

TASK = {
    "title": "Overlap loss of boxes",
    "category": "loss",
    "level": 2,
    "shapes": [{"BOXES": 1003}],
    "hidden": [{"BOXES": 517}],
}


class Model(nn.Module):
    def forward(self, boxes, truth):
        low = torch.maximum(boxes[:, :2], truth[:, :2])
        high = torch.minimum(boxes[:, 2:], truth[:, 2:])
        both = (high - low).clamp(min=0.0).prod(dim=1)
        area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        area = area + (truth[:, 2:] - truth[:, :2]).prod(dim=1)
        return 1 - both / (area - both + 1e-3)


def get_inputs():
    low = torch.rand(BOXES, 2)
    truth = torch.cat((low, low + 0.2 + torch.rand(BOXES, 2)), dim=1)
    return [truth + 0.1 * torch.rand(BOXES, 4) - 0.05, truth]
