"""Min-plus product, three loops deep; NaN wins, as it does in PyTorch."""

from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cmath>

extern "C" void min_plus(const float* a, const float* b, float* c, long m, long n, long k) {
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++) {
            float least = INFINITY;
            for (long p = 0; p < k; p++) {
                const float way = a[i * k + p] + b[p * n + j];
                if (way < least || std::isnan(way)) least = way;
            }
            c[i * n + j] = least;
        }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        c = a.new_empty(a.shape[0], b.shape[1])
        lib.min_plus(a, b, c, a.shape[0], b.shape[1], a.shape[1])
        return c
