"""LSTM over time, recurrent weights for each head, as in FlashRNN (Poeppel et al. 2024, arXiv:2412.07752)."""

import torch
from torch import nn

BATCH, STEPS, HEADS, HEAD_DIM = 4, 16, 4, 24

TASK = {
    "title": "Multi-head LSTM over time",
    "category": "full architectures",
    "level": 4,
    "full": [{"BATCH": 16, "STEPS": 1024, "HEADS": 12, "HEAD_DIM": 64}],
    "shapes": [{"BATCH": 3, "STEPS": 7, "HEADS": 3, "HEAD_DIM": 13}],
    "hidden": [{"BATCH": 2, "STEPS": 11, "HEADS": 5, "HEAD_DIM": 9}],
}


class Model(nn.Module):
    def __init__(self, heads, width):
        super().__init__()
        self.recurrent = nn.Parameter(torch.randn(heads, width, 4 * width) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(heads, 1, 4 * width))

    def forward(self, x, state, cell):
        states = []
        for step in range(x.shape[0]):
            gates = x[step] + state @ self.recurrent + self.bias
            enter, forget, new, leave = gates.chunk(4, dim=-1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(new)
            state = torch.sigmoid(leave) * torch.tanh(cell)
            states.append(state)
        return torch.stack(states), cell


def get_inputs():
    x = torch.randn(STEPS, HEADS, BATCH, 4 * HEAD_DIM)
    return [x, *(torch.randn(HEADS, BATCH, HEAD_DIM) for _ in range(2))]


def get_init_inputs():
    return [HEADS, HEAD_DIM]
