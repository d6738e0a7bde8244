"""Mean embedding of each bag of features, as in a recommender."""

import torch
from torch import nn

BAGS, BAG_SIZE, VOCABULARY, WIDTH = 4096, 32, 20000, 64

TASK = {
    "title": "Embedding bag, mean",
    "category": "embedding and indexing",
    "level": 1,
    "shapes": [{"BAGS": 131, "BAG_SIZE": 7, "VOCABULARY": 1009, "WIDTH": 24}],
    "hidden": [{"BAGS": 67, "BAG_SIZE": 13, "VOCABULARY": 503, "WIDTH": 41}],
    "operations": "BAGS * BAG_SIZE * WIDTH",
    "bytes_moved": "4 * (VOCABULARY * WIDTH + BAGS * WIDTH) + 8 * BAGS * BAG_SIZE",
}


class Model(nn.Module):
    def __init__(self, vocabulary, width):
        super().__init__()
        self.bag = nn.EmbeddingBag(vocabulary, width, mode="mean")

    def forward(self, ids):
        return self.bag(ids)


def get_inputs():
    return [torch.randint(0, VOCABULARY, (BAGS, BAG_SIZE))]


def get_init_inputs():
    return [VOCABULARY, WIDTH]
