"""Layer norm whose scale and shift come from a condition, as in diffusion transformers."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, TOKENS, WIDTH, CONDITION = 4, 64, 128, 64

TASK = {
    "title": "Adaptive layer norm",
    "category": "fused blocks",
    "level": 3,
    "shapes": [{"BATCH": 3, "TOKENS": 19, "WIDTH": 67, "CONDITION": 21}],
    "hidden": [{"BATCH": 2, "TOKENS": 37, "WIDTH": 45, "CONDITION": 13}],
}


class Model(nn.Module):
    def __init__(self, width, condition):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(condition, 2 * width)

    def forward(self, x, condition):
        scale, shift = self.modulate(F.silu(condition)).unsqueeze(1).chunk(2, dim=-1)
        return self.norm(x) * (1 + scale) + shift


def get_inputs():
    return [torch.randn(BATCH, TOKENS, WIDTH), 2 * torch.randn(BATCH, CONDITION)]


def get_init_inputs():
    return [WIDTH, CONDITION]
