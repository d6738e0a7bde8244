"""A causal filter as long as the sequence, by Fourier transform: FlashFFTConv (arXiv:2311.05908)."""

import torch
from torch import nn

BATCH, CHANNELS, STEPS = 2, 32, 256

TASK = {
    "title": "Long convolution",
    "category": "convolution",
    "level": 3,
    "full": [{"BATCH": 16, "CHANNELS": 768, "STEPS": 8192}],
    "operations": "BATCH * CHANNELS * STEPS * 20",
    "shapes": [{"BATCH": 1, "CHANNELS": 13, "STEPS": 128}],
    "hidden": [{"BATCH": 3, "CHANNELS": 5, "STEPS": 77}],
}


class Model(nn.Module):
    def forward(self, x, taps, direct):
        steps = x.shape[-1]
        spectrum = torch.fft.rfft(x, n=2 * steps) * torch.fft.rfft(taps, n=2 * steps)
        y = torch.fft.irfft(spectrum, n=2 * steps)[..., :steps]
        return y + direct[:, None] * x


def get_inputs():
    fade = torch.exp(-3 * torch.arange(STEPS) / STEPS)
    taps = torch.randn(CHANNELS, STEPS) * fade
    return [torch.randn(BATCH, CHANNELS, STEPS), taps, 4 * torch.randn(CHANNELS)]
