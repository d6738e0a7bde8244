"""Bitonic sort of a row in shared memory, filled up with NaN, which belongs to the end."""

import torch
from torch import nn

from kernelwright.inline import cuda

mod = cuda(
    r"""
__device__ bool before(float a, float b) { return a < b || (!isnan(a) && isnan(b)); }

extern "C" __global__ void sort_row(const float* __restrict__ x, float* __restrict__ y, int width) {
    __shared__ float row[1024];
    const int me = threadIdx.x;
    const float* in = x + (long)blockIdx.x * width;
    for (int at = me; at < 1024; at += 512) row[at] = at < width ? in[at] : nanf("");
    __syncthreads();
    for (int size = 2; size <= 1024; size *= 2)
        for (int step = size / 2; step > 0; step /= 2) {
            const int low = me / step * 2 * step + me % step, high = low + step;
            const bool upwards = (low & size) == 0;
            const float a = row[low], b = row[high];
            if (upwards ? before(b, a) : before(a, b)) {
                row[low] = b;
                row[high] = a;
            }
            __syncthreads();
        }
    for (int at = me; at < width; at += 512) y[(long)blockIdx.x * width + at] = row[at];
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        if x.shape[1] > 1024:
            raise ValueError(f"rows of {x.shape[1]} numbers: this kernel sorts up to 1024")
        y = torch.empty_like(x)
        mod.sort_row[(x.shape[0],), (512,), 0](x, y, x.shape[1])
        return y
