"""One step of heat flow on a grid whose border is held."""

import torch
from torch import nn

HEIGHT, WIDTH = 512, 640

TASK = {
    "title": "Heat step, from sequential C++",
    "category": "stencil",
    "level": 1,
    "shapes": [{"HEIGHT": 61, "WIDTH": 97}],
    "hidden": [{"HEIGHT": 37, "WIDTH": 131}],
    "start": "start/serial_heat_step.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def forward(self, heat, conductivity):
        near = heat[:-2, 1:-1] + heat[2:, 1:-1] + heat[1:-1, :-2] + heat[1:-1, 2:]
        inner = heat[1:-1, 1:-1]
        moved = inner + conductivity[1:-1, 1:-1] * (near - 4.0 * inner)
        result = heat.clone()
        result[1:-1, 1:-1] = moved
        return result


def get_inputs():
    return [torch.randn(HEIGHT, WIDTH), 0.25 * torch.rand(HEIGHT, WIDTH)]
