"""One step of a gated recurrent unit."""

import torch
from torch import nn

BATCH, INPUTS, WIDTH = 64, 96, 128

TASK = {
    "title": "GRU step",
    "category": "full architectures",
    "level": 3,
    "shapes": [{"BATCH": 13, "INPUTS": 37, "WIDTH": 45}],
    "hidden": [{"BATCH": 29, "INPUTS": 21, "WIDTH": 67}],
}


class Model(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.inputs = nn.Linear(inputs, 3 * width)
        self.states = nn.Linear(width, 3 * width)

    def forward(self, x, state):
        reset_x, update_x, new_x = self.inputs(x).chunk(3, dim=-1)
        reset_h, update_h, new_h = self.states(state).chunk(3, dim=-1)
        reset = torch.sigmoid(reset_x + reset_h)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + reset * new_h)
        return (1 - update) * new + update * state


def get_inputs():
    return [2 * torch.randn(BATCH, INPUTS), torch.randn(BATCH, WIDTH)]


def get_init_inputs():
    return [INPUTS, WIDTH]
