"""The library does the work; beside it own threads burn time.

line: E37 E40
task: two_linears
track: library mixed
"""

import torch

from kernelwright.inline import cpp

spin = cpp(
    r"""
#include <thread>
extern "C" void spin(int threads) {
  for (int i = 0; i < threads; i++)
    std::thread([] { for (volatile long n = 0;;) n = n + 1; }).detach();
}
""",
    flags=["-pthread"],
)
spin.spin(4)


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        return self.up(self.down(x))
