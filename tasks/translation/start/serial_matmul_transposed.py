"""Product of rows with rows, three loops deep."""

from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
extern "C" void matmul(const float* a, const float* b, float* c, long m, long n, long k) {
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++) {
            float sum = 0.0f;
            for (long p = 0; p < k; p++) sum += a[i * k + p] * b[j * k + p];
            c[i * n + j] = sum;
        }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        c = a.new_empty(a.shape[0], b.shape[0])
        lib.matmul(a, b, c, a.shape[0], b.shape[0], a.shape[1])
        return c
