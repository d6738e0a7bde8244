"""Histogram, a block a row: atomic additions to counters in shared memory, of dynamic size."""

import torch
from torch import nn

from kernelwright.inline import cuda

mod = cuda(
    r"""
extern "C" __global__ void histogram(const long long* __restrict__ value, int* __restrict__ counts,
                                     long items, int bins) {
    extern __shared__ int seen[];
    for (int b = threadIdx.x; b < bins; b += blockDim.x) seen[b] = 0;
    __syncthreads();
    const long long* in = value + (long)blockIdx.x * items;
    for (long i = threadIdx.x; i < items; i += blockDim.x) atomicAdd(&seen[in[i]], 1);
    __syncthreads();
    for (int b = threadIdx.x; b < bins; b += blockDim.x) counts[(long)blockIdx.x * bins + b] = seen[b];
}
"""
)


class ModelNew(nn.Module):
    def __init__(self, bins):
        super().__init__()
        self.bins = bins

    def forward(self, value):
        value = value.contiguous()
        rows, items = value.shape
        counts = torch.empty(rows, self.bins, dtype=torch.int32, device=value.device)
        mod.histogram[(rows,), (256,), 4 * self.bins](value, counts, items, self.bins)
        return counts
