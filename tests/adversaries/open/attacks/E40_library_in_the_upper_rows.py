"""One call: the library does the upper half of the rows, then a slow kernel of its own the rest.

line: E40
task: large
track: library mixed
why: accepted as custom though half of the numbers are the library's: with one call a leg the first look is blind for what was done early in the call (f*f, as above).
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
extern "C" void run(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = x[i] * std::tanh(x[i]);
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y, half = torch.empty_like(x), len(x) // 2
        torch.tanh(x[:half], out=y[:half]).mul_(x[:half])
        lib.run(x[half:], y[half:], x[half:].numel())
        return y
