"""An image sharpened: each point against the mean of its eight neighbours."""

import torch
from torch import nn

HEIGHT, WIDTH = 384, 512

TASK = {
    "title": "Sharpening of an image, from CUDA",
    "category": "stencil",
    "level": 2,
    "shapes": [{"HEIGHT": 61, "WIDTH": 97}],
    "hidden": [{"HEIGHT": 37, "WIDTH": 131}],
    "start": "start/cuda_sharpen.py",
    "translate_to": ["cpp"],
}


class Model(nn.Module):
    def forward(self, image, strength):
        wide = nn.functional.pad(image, (1, 1, 1, 1))
        height, width = image.shape
        near = sum(
            wide[i : i + height, j : j + width]
            for i in range(3)
            for j in range(3)
            if (i, j) != (1, 1)
        )
        return image + strength * (image - near / 8.0)


def get_inputs():
    return [torch.randn(HEIGHT, WIDTH), torch.rand(HEIGHT, WIDTH)]
