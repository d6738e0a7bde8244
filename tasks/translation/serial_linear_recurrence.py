"""A linear recurrence along each row: what was, times a decay, plus what comes."""

import torch
from torch import nn

ROWS, STEPS = 256, 64

TASK = {
    "title": "Linear recurrence, from sequential C++",
    "category": "scan",
    "level": 2,
    "shapes": [{"ROWS": 61, "STEPS": 37}],
    "hidden": [{"ROWS": 37, "STEPS": 45}],
    "start": "start/serial_linear_recurrence.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def forward(self, decay, x):
        state, states = torch.zeros_like(x[:, 0]), []
        for step in range(x.shape[1]):
            state = decay[:, step] * state + x[:, step]
            states.append(state)
        return torch.stack(states, dim=1)


def get_inputs():
    return [torch.rand(ROWS, STEPS), torch.randn(ROWS, STEPS)]
