"""Distillation: KL divergence from a teacher's to a student's softened distribution."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CLASSES, TEMPERATURE = 512, 2000, 2.0

TASK = {
    "title": "Distillation by KL divergence",
    "category": "loss",
    "level": 2,
    "shapes": [{"BATCH": 65, "CLASSES": 301}],
    "hidden": [{"BATCH": 33, "CLASSES": 1003}],
    "operations": "14 * BATCH * CLASSES",
    "bytes_moved": "4 * 2 * BATCH * CLASSES + 4",
}


class Model(nn.Module):
    def forward(self, student, teacher):
        log_p = F.log_softmax(student / TEMPERATURE, dim=-1)
        q = F.softmax(teacher / TEMPERATURE, dim=-1)
        return F.kl_div(log_p, q, reduction="batchmean") * TEMPERATURE**2


def get_inputs():
    mild, sure = 1 + torch.rand(2)
    return [mild * torch.randn(BATCH, CLASSES), 2 * sure * torch.randn(BATCH, CLASSES)]
