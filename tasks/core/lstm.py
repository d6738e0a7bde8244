"""An LSTM over a short sequence, its last states beside all outputs."""

import torch
from torch import nn

BATCH, STEPS, INPUTS, WIDTH = 4, 12, 48, 64

TASK = {
    "title": "LSTM",
    "category": "full architectures",
    "level": 4,
    "shapes": [{"BATCH": 3, "STEPS": 7, "INPUTS": 21, "WIDTH": 37}],
    "hidden": [{"BATCH": 2, "STEPS": 9, "INPUTS": 13, "WIDTH": 45}],
}


class Model(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.inputs = nn.Linear(inputs, 4 * width)
        self.states = nn.Linear(width, 4 * width, bias=False)

    def forward(self, x, state, cell):
        outputs = []
        for step in range(x.shape[1]):
            gates = self.inputs(x[:, step]) + self.states(state)
            enter, forget, new, leave = gates.chunk(4, dim=-1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(new)
            state = torch.sigmoid(leave) * torch.tanh(cell)
            outputs.append(state)
        return torch.stack(outputs, dim=1), cell


def get_inputs():
    states = [torch.randn(BATCH, WIDTH), torch.randn(BATCH, WIDTH)]
    return [2 * torch.randn(BATCH, STEPS, INPUTS), *states]


def get_init_inputs():
    return [INPUTS, WIDTH]
