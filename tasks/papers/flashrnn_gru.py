"""GRU over time, recurrent weights for each head, as in FlashRNN (Poeppel et al. 2024, arXiv:2412.07752)."""

import torch
from torch import nn

BATCH, STEPS, HEADS, HEAD_DIM = 4, 16, 4, 24

TASK = {
    "title": "Multi-head GRU over time",
    "category": "full architectures",
    "level": 4,
    "full": [{"BATCH": 16, "STEPS": 1024, "HEADS": 12, "HEAD_DIM": 64}],
    "shapes": [{"BATCH": 3, "STEPS": 7, "HEADS": 3, "HEAD_DIM": 13}],
    "hidden": [{"BATCH": 2, "STEPS": 11, "HEADS": 5, "HEAD_DIM": 9}],
}


class Model(nn.Module):
    def __init__(self, heads, width):
        super().__init__()
        self.recurrent = nn.Parameter(torch.randn(heads, width, 3 * width) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(heads, 1, 3 * width))

    def forward(self, x, state):
        states = []
        for step in range(x.shape[0]):
            reset_x, update_x, new_x = x[step].chunk(3, dim=-1)
            reset_h, update_h, new_h = (state @ self.recurrent + self.bias).chunk(3, dim=-1)
            update = torch.sigmoid(update_x + update_h)
            new = torch.tanh(new_x + torch.sigmoid(reset_x + reset_h) * new_h)
            state = update * state + (1 - update) * new
            states.append(state)
        return torch.stack(states)


def get_inputs():
    x = torch.randn(STEPS, HEADS, BATCH, 3 * HEAD_DIM)
    return [x, torch.randn(HEADS, BATCH, HEAD_DIM)]


def get_init_inputs():
    return [HEADS, HEAD_DIM]
