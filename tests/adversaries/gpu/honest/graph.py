"""A graph of the kernel that is replayed over inputs copied in and outputs copied out: honest.

line: -
track: custom mixed
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


class ModelNew(Honest):
    graph = None

    def forward(self, x):
        x = x.contiguous()
        if self.graph is None or self.held.shape != x.shape:
            self.held, self.out = torch.empty_like(x), torch.empty_like(x)
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self.into(self.held, self.out)
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.into(self.held, self.out)
        self.held.copy_(x)
        self.graph.replay()
        return self.out.clone()
