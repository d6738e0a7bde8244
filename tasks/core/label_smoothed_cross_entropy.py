"""Cross-entropy with smoothed labels and ignored padding, a loss for each token."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, CLASSES, SMOOTHING, PADDING = 1024, 2000, 0.1, 0

TASK = {
    "title": "Label-smoothed cross-entropy of each token",
    "category": "loss",
    "level": 2,
    "shapes": [{"TOKENS": 67, "CLASSES": 501}],
    "hidden": [{"TOKENS": 129, "CLASSES": 203}],
    "operations": "5 * TOKENS * CLASSES",
    "bytes_moved": "4 * TOKENS * CLASSES + 8 * TOKENS + 4 * TOKENS",
}


class Model(nn.Module):
    def forward(self, logits, targets):
        log_p = F.log_softmax(logits, dim=-1)
        hit = -log_p.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        smooth = -log_p.mean(dim=-1)
        loss = (1 - SMOOTHING) * hit + SMOOTHING * smooth
        return loss.masked_fill(targets == PADDING, 0.0)


def get_inputs():
    targets = torch.randint(0, CLASSES, (TOKENS,))
    padded = torch.rand(TOKENS) < 0.1
    return [2 * torch.randn(TOKENS, CLASSES), targets.masked_fill(padded, PADDING)]
