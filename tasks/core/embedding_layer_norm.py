"""Input of a transformer: token embedding plus position embedding, then layer norm."""

import torch
from torch import nn

BATCH, TOKENS, VOCABULARY, WIDTH = 8, 256, 8000, 512

TASK = {
    "title": "Token and position embedding with layer norm",
    "category": "embedding and indexing",
    "level": 2,
    "shapes": [{"BATCH": 2, "TOKENS": 37, "VOCABULARY": 501, "WIDTH": 133}],
    "hidden": [{"BATCH": 3, "TOKENS": 19, "VOCABULARY": 303, "WIDTH": 77}],
    "operations": "9 * BATCH * TOKENS * WIDTH",
    # The rows of the table that random ids touch, positions, weights, output; then the ids.
    "bytes_moved": "4 * WIDTH * (VOCABULARY * (1 - (1 - 1 / VOCABULARY) ** (BATCH * TOKENS))"
    " + TOKENS + 2 + BATCH * TOKENS) + 8 * BATCH * TOKENS",
}


class Model(nn.Module):
    def __init__(self, vocabulary, positions, width):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.norm = nn.LayerNorm(width)
        # Small, as language models initialise their tables: the norm's epsilon matters then.
        for table in (self.tokens, self.positions):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids):
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.norm(self.tokens(ids) + self.positions(places))


def get_inputs():
    return [torch.randint(0, VOCABULARY, (BATCH, TOKENS))]


def get_init_inputs():
    return [VOCABULARY, TOKENS, WIDTH]
