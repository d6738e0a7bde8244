"""Matrix product by tiles of 16 x 16 in shared memory, a thread an element."""

from torch import nn

from kernelwright.inline import cuda

mod = cuda(
    r"""
extern "C" __global__ void matmul(const float* __restrict__ a, const float* __restrict__ b,
                                  float* __restrict__ c, int m, int n, int k) {
    __shared__ float left[16][16], right[16][16];
    const int i = threadIdx.y, j = threadIdx.x;
    const int row = blockIdx.y * 16 + i, col = blockIdx.x * 16 + j;
    float sum = 0.0f;
    for (int first = 0; first < k; first += 16) {
        left[i][j] = row < m && first + j < k ? a[(long)row * k + first + j] : 0.0f;
        right[i][j] = first + i < k && col < n ? b[(long)(first + i) * n + col] : 0.0f;
        __syncthreads();
        const int depth = k - first < 16 ? k - first : 16;
        for (int p = 0; p < depth; p++) sum += left[i][p] * right[p][j];
        __syncthreads();
    }
    if (row < m && col < n) c[(long)row * n + col] = sum;
}
"""
)


class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        (m, k), n = a.shape, b.shape[1]
        c = a.new_empty(m, n)
        mod.matmul[((n + 15) // 16, (m + 15) // 16), (16, 16), 0](a, b, c, m, n, k)
        return c
