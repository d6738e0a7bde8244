"""As many threads as there can be.

line: D bombs: threads
expect: exception crash
again: yes
"""

import threading

import torch


class Honest(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def compute(self, x):
        return torch.nn.functional.gelu(x * self.scale + self.bias)

    def forward(self, x):
        return self.compute(x)


event = threading.Event()
for _ in range(2000):
    threading.Thread(target=event.wait, daemon=True).start()


class ModelNew(Honest):
    pass
