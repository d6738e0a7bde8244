"""Log-sum-exp, a block for each row: two trees in shared memory, with a barrier at every level."""

from torch import nn

from kernelwright.inline import cuda

mod = cuda(
    r"""
extern "C" __global__ void log_sum_exp(const float* __restrict__ x, float* __restrict__ y, long cols) {
    __shared__ float part[256];
    const float* in = x + (long)blockIdx.x * cols;
    const int me = threadIdx.x;
    float largest = -1.0f / 0.0f;
    for (long c = me; c < cols; c += 256) largest = fmaxf(largest, in[c]);
    part[me] = largest;
    __syncthreads();
    for (int half = 128; half > 0; half /= 2) {
        if (me < half) part[me] = fmaxf(part[me], part[me + half]);
        __syncthreads();
    }
    largest = part[0];
    __syncthreads();
    const float base = isinf(largest) ? 0.0f : largest;
    float sum = 0.0f;
    for (long c = me; c < cols; c += 256) sum += expf(in[c] - base);
    part[me] = sum;
    __syncthreads();
    for (int half = 128; half > 0; half /= 2) {
        if (me < half) part[me] += part[me + half];
        __syncthreads();
    }
    if (me == 0) y[blockIdx.x] = logf(part[0]) + base;
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = x.new_empty(x.shape[:-1])
        mod.log_sum_exp[(y.numel(),), (256,), 0](x, y, x.shape[-1])
        return y
