"""Events and synchronize are replaced: every interval is a microsecond.

line: A2
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


torch.cuda.Event.elapsed_time = lambda self, other: 0.001
torch.cuda.synchronize = lambda device=None: None
torch.cuda.Event.synchronize = lambda self: None
torch.cuda.Stream.synchronize = lambda self: None
_spin = torch.cuda._sleep


class ModelNew(Honest):
    def forward(self, x):
        _spin(20_000_000)  # far slower than eager: whoever calls this fast has believed an event
        return super().forward(x)
