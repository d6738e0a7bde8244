"""Leaky neurons that fire and fall back, step by step: SpikingJelly (doi:10.1126/sciadv.adi1480)."""

import torch
from torch import nn

STEPS, BATCH, NEURONS = 16, 4, 64

TASK = {
    "title": "Scan of spiking neurons",
    "category": "reduction",
    "level": 2,
    "full": [{"STEPS": 64, "BATCH": 128, "NEURONS": 4096}],
    "operations": "5 * STEPS * BATCH * NEURONS",
    "shapes": [{"STEPS": 7, "BATCH": 3, "NEURONS": 37}],
    "hidden": [{"STEPS": 11, "BATCH": 2, "NEURONS": 21}],
}


class Model(nn.Module):
    def forward(self, x, decay):
        charge = torch.zeros_like(x[0])
        spikes, charges = [], []
        for step in range(x.shape[0]):
            charge = decay * charge + x[step]
            fired = (charge >= 1.0).to(x.dtype)
            charge = charge * (1 - fired)
            spikes.append(fired)
            charges.append(charge)
        return torch.stack(spikes), torch.stack(charges)


def get_inputs():
    x, decay = 0.7 * torch.randn(STEPS, BATCH, NEURONS) + 0.3, 0.5 + 0.4 * torch.rand(NEURONS)
    charge = torch.zeros(BATCH, NEURONS)
    for step in range(STEPS):
        # Away from the threshold, where the last bit of a sum would decide on a spike.
        charge = decay * charge + x[step]
        push = 0.05 * ((charge - 1).abs() < 0.02)
        x[step] += push
        charge = (charge + push) * (charge + push < 1)
    return [x, decay]
