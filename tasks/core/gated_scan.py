"""A linear recurrence over time: each state is the last one, damped, and the input."""

import torch
from torch import nn

BATCH, STEPS, WIDTH = 4, 64, 256

TASK = {
    "title": "Gated linear scan",
    "category": "reduction",
    "level": 2,
    "operations": "2 * BATCH * STEPS * WIDTH",
    "shapes": [{"BATCH": 3, "STEPS": 37, "WIDTH": 131}],
    "hidden": [{"BATCH": 2, "STEPS": 53, "WIDTH": 77}],
}


class Model(nn.Module):
    def forward(self, x, decay):
        state = torch.zeros_like(x[:, 0])
        states = []
        for step in range(x.shape[1]):
            state = decay[:, step] * state + x[:, step]
            states.append(state)
        return torch.stack(states, dim=1)


def get_inputs():
    return [torch.randn(BATCH, STEPS, WIDTH), torch.rand(BATCH, STEPS, WIDTH)]
