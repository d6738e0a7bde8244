# families: elementwise
# solves: core/gated_residual
# like: gated_residual, sigmoid(gate
"""Gated residual: x + sigmoid(gate + bias) * update, sixteen bytes an access where addresses allow it."""

import torch
from torch import nn

from kernelwright.inline import cuda, tuned

P = tuned(BLOCK=[256, 128, 512])

mod = cuda(
    r"""
__device__ __forceinline__ float gated(float x, float u, float g) { return x + u / (1.0f + expf(-g)); }

extern "C" __global__ void by_four(const float4* __restrict__ x, const float4* __restrict__ update,
                                   const float4* __restrict__ gate, const float4* __restrict__ bias,
                                   float4* __restrict__ y, long quads, int width4) {
    for (long i = (long)blockIdx.x * blockDim.x + threadIdx.x; i < quads; i += (long)gridDim.x * blockDim.x) {
        float4 v = x[i], u = update[i], g = gate[i], b = bias[i % width4];
        y[i] = make_float4(gated(v.x, u.x, g.x + b.x), gated(v.y, u.y, g.y + b.y),
                           gated(v.z, u.z, g.z + b.z), gated(v.w, u.w, g.w + b.w));
    }
}

extern "C" __global__ void by_one(const float* __restrict__ x, const float* __restrict__ update,
                                  const float* __restrict__ gate, const float* __restrict__ bias,
                                  float* __restrict__ y, long count, int width) {
    for (long i = (long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (long)gridDim.x * blockDim.x)
        y[i] = gated(x[i], update[i], gate[i] + bias[i % width]);
}
""",
    defines=P,
)


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x, update, gate):
        x, update, gate, bias = (t.contiguous() for t in (x, update, gate, self.bias))
        y = torch.empty_like(x)
        count, width = x.numel(), x.shape[-1]
        wide = width % 4 == 0 and all(t.data_ptr() % 16 == 0 for t in (x, update, gate, bias, y))
        kernel, n, w = (mod.by_four, count // 4, width // 4) if wide else (mod.by_one, count, width)
        if count:
            blocks = min((n + P.BLOCK - 1) // P.BLOCK, 65535)
            kernel[(blocks,), (P.BLOCK,), 0](x, update, gate, bias, y, n, w)
        return y
