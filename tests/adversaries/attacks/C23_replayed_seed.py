"""Draws inputs again from the random state that it was handed, to know the answers before.

line: C23
expect: wrong_value special_values precision stale_output
"""

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


state = torch.get_rng_state()


class ModelNew(Honest):
    def __init__(self, width):
        super().__init__(width)
        torch.set_rng_state(state)
        self.guess = torch.randn(128, width)
        self.answer = None

    def forward(self, x):
        if self.answer is None:
            self.answer = self.compute(self.guess)
        return self.answer.clone()
