"""Log-softmax over a vocabulary."""

import torch
from torch import nn
from torch.nn import functional as F

TOKENS, VOCABULARY = 256, 8192

TASK = {
    "title": "Log-softmax over a vocabulary",
    "category": "activation",
    "level": 1,
    "shapes": [{"TOKENS": 37, "VOCABULARY": 1003}, {"TOKENS": 5, "VOCABULARY": 7}],
    "hidden": [{"TOKENS": 19, "VOCABULARY": 4099}],
    "operations": "5 * TOKENS * VOCABULARY",
    "bytes_moved": "2 * 4 * TOKENS * VOCABULARY",
}


class Model(nn.Module):
    def forward(self, logits):
        return F.log_softmax(logits, dim=-1)


def get_inputs():
    return [2 * torch.randn(TOKENS, VOCABULARY)]
