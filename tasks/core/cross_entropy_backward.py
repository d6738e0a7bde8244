"""Cross-entropy of each token with the gradient of the logits."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, VOCABULARY = 128, 1000

TASK = {
    "title": "Cross-entropy with backward",
    "category": "loss",
    "level": 2,
    "backward": True,
    "shapes": [{"TOKENS": 37, "VOCABULARY": 259}],
    "hidden": [{"TOKENS": 61, "VOCABULARY": 131}],
}


class Model(nn.Module):
    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels, reduction="none")


def get_inputs():
    return [2 * torch.randn(TOKENS, VOCABULARY), torch.randint(0, VOCABULARY, (TOKENS,))]
