"""sLSTM over time: exponential gates held in range by a running maximum (FlashRNN, arXiv:2412.07752)."""

import torch
from torch import nn

BATCH, STEPS, HEADS, HEAD_DIM = 4, 16, 4, 24

TASK = {
    "title": "Multi-head sLSTM over time",
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

    def forward(self, x, state):
        cell = torch.zeros_like(state)
        norm = torch.zeros_like(state)
        largest = torch.zeros_like(state)
        states = []
        for step in range(x.shape[0]):
            gates = x[step] + state @ self.recurrent + self.bias
            enter, forget, new, leave = gates.chunk(4, dim=-1)
            kept = nn.functional.logsigmoid(forget) + largest
            largest = torch.maximum(kept, enter)
            old, fresh = torch.exp(kept - largest), torch.exp(enter - largest)
            cell = old * cell + fresh * torch.tanh(new)
            norm = old * norm + fresh
            state = torch.sigmoid(leave) * cell / norm
            states.append(state)
        return torch.stack(states)


def get_inputs():
    x = torch.randn(STEPS, HEADS, BATCH, 4 * HEAD_DIM)
    return [x, torch.randn(HEADS, BATCH, HEAD_DIM)]


def get_init_inputs():
    return [HEADS, HEAD_DIM]
