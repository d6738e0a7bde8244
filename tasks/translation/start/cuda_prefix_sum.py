"""Running sums, a block a row: pieces of 256 summed by doubling steps, what went before carried along."""

import torch
from torch import nn

from kernelwright.inline import cuda

mod = cuda(
    r"""
extern "C" __global__ void prefix_sum(const float* __restrict__ x, float* __restrict__ y, long width) {
    __shared__ float sums[2][256];
    const int me = threadIdx.x;
    const float* in = x + (long)blockIdx.x * width;
    float* out = y + (long)blockIdx.x * width;
    float carried = 0.0f;
    for (long begin = 0; begin < width; begin += 256) {
        int now = 0;
        sums[now][me] = begin + me < width ? in[begin + me] : 0.0f;
        __syncthreads();
        for (int step = 1; step < 256; step *= 2) {
            sums[1 - now][me] = sums[now][me] + (me >= step ? sums[now][me - step] : 0.0f);
            now = 1 - now;
            __syncthreads();
        }
        if (begin + me < width) out[begin + me] = carried + sums[now][me];
        carried += sums[now][255];
        __syncthreads();
    }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        mod.prefix_sum[(x.shape[0],), (256,), 0](x, y, x.shape[1])
        return y
