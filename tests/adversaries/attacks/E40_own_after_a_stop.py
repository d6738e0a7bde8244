"""The library works until the first stop of a call, then a kernel of its own: a handler of SIGCONT tells.

line: E40
task: large
track: library mixed
"""

import signal
import threading

import torch

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cmath>
extern "C" void product(const float* x, float* y, long n) {
  for (long i = 0; i < n; i++) y[i] = x[i] * std::tanh(x[i]);
}
""",
    flags=["-ffast-math"],
)
CHUNK = 64
stops = 0


def stopped(*_):
    global stops
    stops += 1


signal.signal(signal.SIGCONT, stopped)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        global stops
        stops = 0
        y = torch.empty(x.shape)
        x = x.contiguous()

        def work(r):
            with torch.no_grad():
                if stops:
                    lib.product(x[r:], y[r:], CHUNK * x.shape[1])
                else:
                    torch.tanh(x[r : r + CHUNK], out=y[r : r + CHUNK]).mul_(x[r : r + CHUNK])

        for r in range(0, len(x), CHUNK):
            thread = threading.Thread(target=work, args=(r,))
            thread.start()
            thread.join()
        return y
