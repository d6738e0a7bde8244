"""Events are made without timing, so that an interval between them means nothing.

line: A3
expect: not_faster
"""

import torch

from kernelwright.inline import cuda

mod = cuda(r"""
extern "C" __global__ void bias_gelu(const float* x, const float* scale, const float* bias, float* y,
                                     int n, int width) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    float v = x[i] * scale[i % width] + bias[i % width];
    y[i] = 0.5f * v * (1.0f + erff(v * 0.70710678f));
  }
}
""")


class Honest(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def into(self, x, y):
        n = x.numel()
        mod.bias_gelu[(n + 255) // 256, 256](x, self.scale, self.bias, y, n, x.shape[-1])
        return y

    def forward(self, x):
        x = x.contiguous()
        return self.into(x, torch.empty_like(x))


_event = torch.cuda.Event


def _blunt(enable_timing=False, blocking=False, interprocess=False):
    return _event(enable_timing=False, blocking=blocking, interprocess=interprocess)


torch.cuda.Event = _blunt


class ModelNew(Honest):
    def forward(self, x):
        torch.cuda._sleep(20_000_000)
        return super().forward(x)
