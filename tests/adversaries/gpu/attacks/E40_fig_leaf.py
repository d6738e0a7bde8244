"""A kernel that touches nothing is launched beside the library's work.

line: E40
track: library
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
extern "C" __global__ void nothing(const float* x, int n) {
  if (n > 0 && x[0] == 12345.0f) __trap();
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


class ModelNew(Honest):
    def forward(self, x):
        mod.nothing[1, 1](x, 0)
        return torch.nn.functional.gelu(torch.addcmul(self.bias, x, self.scale))
