"""Softmax, a warp a row: one pass for the maximum, one for the sum, one to write."""

import torch
from torch import nn

from kernelwright.inline import cuda

mod = cuda(
    r"""
extern "C" __global__ void softmax(const float* __restrict__ x, const float* __restrict__ temperature,
                                   float* __restrict__ y, long rows, long cols) {
    const int lane = threadIdx.x % 32;
    const long row = (long)blockIdx.x * 4 + threadIdx.x / 32;
    if (row >= rows) return;  // whole warps only: the shuffles need all lanes
    const float* in = x + row * cols;
    const float t = temperature[row];
    float largest = -1.0f / 0.0f, sum = 0.0f;
    for (long c = lane; c < cols; c += 32) largest = fmaxf(largest, in[c] / t);
    for (int step = 16; step > 0; step /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, step));
    for (long c = lane; c < cols; c += 32) sum += expf(in[c] / t - largest);
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    for (long c = lane; c < cols; c += 32) y[row * cols + c] = expf(in[c] / t - largest) / sum;
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x, temperature):
        x, temperature = x.contiguous(), temperature.contiguous()
        y = torch.empty_like(x)
        rows, cols = x.shape
        mod.softmax[((rows + 3) // 4,), (128,), 0](x, temperature, y, rows, cols)
        return y
