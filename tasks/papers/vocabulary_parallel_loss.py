"""Cross-entropy over a vocabulary that is split among workers, as in Megatron-LM (arXiv:1909.08053)."""

import torch
from torch import nn

PARTS, TOKENS, SHARD = 4, 96, 512

TASK = {
    "title": "Cross-entropy with vocabulary-parallel split",
    "category": "loss",
    "level": 3,
    "full": [{"PARTS": 8, "TOKENS": 4096, "SHARD": 16032}],
    "shapes": [{"PARTS": 3, "TOKENS": 37, "SHARD": 131}],
    "hidden": [{"PARTS": 2, "TOKENS": 61, "SHARD": 203}],
}


class Model(nn.Module):
    def forward(self, logits, labels):
        parts, _, shard = logits.shape
        largest = logits.amax(dim=-1)
        total = torch.exp(logits - largest.unsqueeze(-1)).sum(dim=-1)
        top = largest.amax(dim=0)
        norm = top + torch.log((total * torch.exp(largest - top)).sum(dim=0))
        local = labels - shard * torch.arange(parts)[:, None]
        mine = (local >= 0) & (local < shard)
        picked = logits.gather(2, local.clamp(0, shard - 1).unsqueeze(-1)).squeeze(-1)
        return norm - torch.where(mine, picked, 0.0).sum(dim=0)


def get_inputs():
    return [2 * torch.randn(PARTS, TOKENS, SHARD), torch.randint(0, PARTS * SHARD, (TOKENS,))]
