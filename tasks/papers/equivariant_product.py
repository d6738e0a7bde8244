"""Products of vectors that turn with space: scalar, vector, traceless matrix (e3nn, arXiv:2207.09453)."""

import torch
from torch import nn

EDGES, CHANNELS = 512, 32

TASK = {
    "title": "Equivariant tensor product",
    "category": "elementwise and broadcast",
    "level": 3,
    "full": [{"EDGES": 65536, "CHANNELS": 128}],
    "shapes": [{"EDGES": 61, "CHANNELS": 13}],
    "hidden": [{"EDGES": 37, "CHANNELS": 21}],
}


class Model(nn.Module):
    def forward(self, x, y, weight):
        y = y[:, None, :]
        scalar = weight[:, :, :1] * (x * y).sum(dim=-1, keepdim=True)
        vector = weight[:, :, 1:2] * torch.linalg.cross(x, y.expand_as(x), dim=-1)
        both = x.unsqueeze(-1) * y.unsqueeze(-2)
        both = (both + both.transpose(-2, -1)) / 2
        trace = both.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
        matrix = both - trace[..., None, None] * torch.eye(3) / 3
        return scalar, vector, weight[:, :, 2:, None] * matrix


def get_inputs():
    return [torch.randn(EDGES, CHANNELS, 3), torch.randn(EDGES, 3), torch.randn(EDGES, CHANNELS, 3)]
