"""Cross-entropy of a language model's logits against the next tokens, a loss for each token."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, VOCABULARY = 512, 8000

TASK = {
    "title": "Cross-entropy over a vocabulary",
    "category": "loss",
    "level": 1,
    "shapes": [{"TOKENS": 29, "VOCABULARY": 1009}],
    "hidden": [{"TOKENS": 61, "VOCABULARY": 517}],
    "operations": "4 * TOKENS * VOCABULARY",
    "bytes_moved": "4 * TOKENS * VOCABULARY + 12 * TOKENS",
}


class Model(nn.Module):
    def forward(self, logits, targets):
        return F.cross_entropy(logits, targets, reduction="none")


def get_inputs():
    scale = 1 + 2 * torch.rand(())
    return [scale * torch.randn(TOKENS, VOCABULARY), torch.randint(0, VOCABULARY, (TOKENS,))]
