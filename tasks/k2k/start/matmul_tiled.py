"""Matrix product in square tiles of 32, for the cache; the inner loop runs along a row of the result."""

from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <algorithm>
#include <cstring>

extern "C" void matmul(const float* a, const float* b, float* c, long m, long n, long k) {
    const long tile = 32;
    std::memset(c, 0, sizeof(float) * m * n);
    #pragma omp parallel for schedule(static)
    for (long i0 = 0; i0 < m; i0 += tile)
        for (long p0 = 0; p0 < k; p0 += tile)
            for (long j0 = 0; j0 < n; j0 += tile)
                for (long i = i0; i < std::min(i0 + tile, m); i++)
                    for (long p = p0; p < std::min(p0 + tile, k); p++) {
                        const float left = a[i * k + p];
                        for (long j = j0; j < std::min(j0 + tile, n); j++)
                            c[i * n + j] += left * b[p * n + j];
                    }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        c = a.new_empty(a.shape[0], b.shape[1])
        lib.matmul(a, b, c, a.shape[0], b.shape[1], a.shape[1])
        return c
