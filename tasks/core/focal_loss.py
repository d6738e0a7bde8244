"""Focal loss of each row: cross-entropy that counts little where the answer is already right."""

import torch
from torch import nn

ROWS, CLASSES = 512, 256

TASK = {
    "title": "Focal loss",
    "category": "loss",
    "level": 2,
    "shapes": [{"ROWS": 67, "CLASSES": 131}],
    "hidden": [{"ROWS": 131, "CLASSES": 37}],
}


class Model(nn.Module):
    def forward(self, logits, labels):
        log_p = torch.log_softmax(logits, dim=-1)
        log_p = log_p.gather(1, labels.unsqueeze(1)).squeeze(1)
        return -((1 - log_p.exp()) ** 2) * log_p


def get_inputs():
    labels = torch.randint(0, CLASSES, (ROWS,))
    sure = 6 * torch.rand(ROWS, 1) * nn.functional.one_hot(labels, CLASSES)
    return [torch.randn(ROWS, CLASSES) + sure, labels]
