"""Gradients scaled to a bounded length, all of them together, then a step of gradient descent."""

import torch
from torch import nn

ROWS, COLS, OTHERS = 384, 256, 1024
RATE, LONGEST = 0.5, 1.0

TASK = {
    "title": "SGD step with the gradient's norm clipped",
    "category": "optimizers",
    "level": 2,
    "shapes": [{"ROWS": 61, "COLS": 131, "OTHERS": 77}],
    "hidden": [{"ROWS": 37, "COLS": 67, "OTHERS": 203}],
}


class Model(nn.Module):
    def __init__(self, rate, longest):
        super().__init__()
        self.rate = rate
        self.longest = longest

    def forward(self, weight, bias, weight_gradient, bias_gradient):
        square = (weight_gradient * weight_gradient).sum() + (bias_gradient * bias_gradient).sum()
        scale = self.rate * self.longest / torch.sqrt(square).clamp(min=self.longest)
        return weight - scale * weight_gradient, bias - scale * bias_gradient


def get_inputs():
    weight, bias = torch.randn(ROWS, COLS), torch.randn(OTHERS)
    return [0.001 * weight, 0.1 * bias, torch.randn(ROWS, COLS), 10 * torch.randn(OTHERS)]


def get_init_inputs():
    return [RATE, LONGEST]
