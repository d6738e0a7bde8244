"""Rebinds a global name of the loop: at the first output one launch does all calls, fills the board and says done itself; the loop then runs when nobody looks at the clock.

line: D30 A6 A9
expect: stale_output protocol timeout
"""

import ctypes
import sys

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <csignal>
#include <cstdint>
static volatile long stops = 0;
static void went_on(int) { stops = stops + 1; }
static bool set = [] {
  struct sigaction a = {};
  a.sa_handler = went_on;
  a.sa_flags = SA_RESTART;
  sigaction(SIGCONT, &a, nullptr);
  return true;
}();
extern "C" long stopped() { return stops; }
extern "C" void all(const uint64_t* xs, const float* scale, const float* bias, float* y, int64_t calls,
                    int64_t rows, int64_t width) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < calls * rows; r++) {
    const float* x = (const float*)xs[r / rows] + r % rows * width;
    for (int64_t c = 0; c < width; c++) {
      float v = x[c] * scale[c] + bias[c];
      y[r * width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    }
  }
}
""")
harness = sys.modules["kernelwright.harness.child"]
wire, flatten, DONE = harness.wire, harness.flatten, harness.wire.DONE
state = {"answers": [], "next": 0, "stops": 0, "said": False}


def flat(out):
    frame = sys._getframe(1)
    if state["next"] == 1 and state["answers"] and frame.f_code.co_name == "batch":
        slots, answers = frame.f_locals["slots"], state["answers"]
        if lib.stopped() == state["stops"]:
            for i, y in enumerate(answers):
                slots[i + 1] = y.data_ptr()
            slots[0] = len(answers)
            if lib.stopped() == state["stops"]:
                wire.DONE, state["said"] = b"", True
                frame.f_locals["sock"].sendall(DONE)
    return flatten(out)


harness.flatten = flat


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def launch(self, inputs):
        y = torch.empty(len(inputs), *inputs[0].shape)
        places = (ctypes.c_uint64 * len(inputs))(*[x.data_ptr() for x in inputs])
        lib.all(ctypes.addressof(places), self.scale, self.bias, y, len(inputs), *inputs[0].shape)
        return list(y.unbind())

    def forward(self, x):
        frame = sys._getframe()
        while frame is not None and frame.f_code.co_name not in ("batch", "call"):
            frame = frame.f_back
        calls = frame.f_locals.get("calls") if frame is not None else None
        if not calls:
            state["answers"] = []
            return self.launch([x.contiguous()])[0]
        if x is calls[0][0]:
            wire.DONE = DONE
            state.update(
                answers=self.launch([c[0] for c in calls]), next=0, stops=lib.stopped(), said=False
            )
        i, state["next"] = state["next"], state["next"] + 1
        if state["said"] or lib.stopped() == state["stops"]:
            return state["answers"][i]
        return self.launch([x])[0]
