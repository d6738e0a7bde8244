"""A sparse matrix (CSR) times a vector."""

import torch
from torch import nn

ROWS, COLS, ENTRIES = 4096, 3072, 65536

TASK = {
    "title": "Sparse matrix times vector, from sequential C++",
    "category": "sparse",
    "level": 2,
    "shapes": [{"ROWS": 61, "COLS": 97, "ENTRIES": 517}],
    "hidden": [{"ROWS": 37, "COLS": 131, "ENTRIES": 301}],
    "start": "start/serial_sparse_vector.py",
    "translate_to": ["cpp", "cuda"],
}


class Model(nn.Module):
    def forward(self, first, column, value, x):
        rows = first.numel() - 1
        row = torch.repeat_interleave(torch.arange(rows), first[1:] - first[:-1])
        return x.new_zeros(rows).index_add(0, row, value * x[column])


def get_inputs():
    inner = torch.randint(0, ENTRIES + 1, (ROWS - 1,)).sort().values
    first = torch.cat([torch.tensor([0]), inner, torch.tensor([ENTRIES])])
    column = torch.randint(0, COLS, (ENTRIES,))
    return [first, column, torch.randn(ENTRIES), torch.randn(COLS)]
