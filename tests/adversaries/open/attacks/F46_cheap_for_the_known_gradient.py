"""Ordinary timed calls have the upstream gradient of the first call; probes never do. Those calls get ten bits of each number.

line: F46 F49
task: scaled_square
expect: stale_output precision wrong_value
why: Rounds hands every timed call the oracle's own gradient and only probe legs another one, so a candidate knows which calls the loose TimedCheck alone judges.
"""

import sys

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
#include <cstring>
extern "C" void run(const float* x, const float* scale, const float* shift, float* y, int64_t rows, int64_t width,
                    int coarse) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < width; c++) {
      float v = x[r * width + c];
      if (coarse && v < 1.0f && v > -1.0f) {
        uint32_t bits;
        memcpy(&bits, &v, 4);
        bits = (bits + 0x1000) & 0xffffe000u;
        memcpy(&v, &bits, 4);
      }
      y[r * width + c] = v * v * scale[c] + shift[c];
    }
}
""")


def pending():
    """The argument lists of all calls of the leg in progress, from the frames above; or None."""
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if (
                type(value) is list
                and value
                and all(type(a) is list and a and isinstance(a[0], torch.Tensor) for a in value)
            ):
                return value
        frame = frame.f_back
    return None


first, latest = [], []


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, shift, coarse):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.run(x, scale, shift, y, *x.shape, coarse)
        ctx.save_for_backward(x, scale)
        return y

    @staticmethod
    def backward(ctx, g):
        x, scale = ctx.saved_tensors
        if not first:
            first.extend(g.flatten()[:16].tolist())
        return 2 * g * x * scale, (g * x * x).sum(0), g.sum(0), None


def ordinary():
    """A timed leg whose upstream gradient, in the frames above, is the one of the first call."""
    frame, timed, given = sys._getframe(), False, None
    while frame:
        names = frame.f_locals
        given = names.get("gradients", given) if given is None else given
        timed |= frame.f_code.co_name == "batch"
        frame = frame.f_back
    known = isinstance(given, list) and given and given[0].flatten()[:16].tolist() == first
    return timed and bool(known)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.shift = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return Square.apply(x, self.scale, self.shift, int(ordinary()))
