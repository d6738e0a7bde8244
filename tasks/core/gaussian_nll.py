"""Negative log-likelihood of numbers under normal distributions with predicted means and variances."""

import torch
from torch import nn

ROWS, COLS = 512, 512

TASK = {
    "title": "Gaussian negative log-likelihood of rows",
    "category": "loss",
    "level": 2,
    "shapes": [{"ROWS": 61, "COLS": 131}],
    "hidden": [{"ROWS": 29, "COLS": 203}],
}


class Model(nn.Module):
    def forward(self, mean, log_variance, x):
        error = (x - mean) ** 2 * torch.exp(-log_variance)
        return 0.5 * (error + log_variance).mean(dim=-1)


def get_inputs():
    spread = 0.5 * torch.randn(ROWS, 1)
    return [torch.randn(ROWS, COLS), torch.randn(ROWS, COLS) + spread, torch.randn(ROWS, COLS)]
