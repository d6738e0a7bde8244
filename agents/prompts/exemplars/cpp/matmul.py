# families: matmul
# solves: core/matmul_transposed
# like: matmul_transposed, .t() @, .T @
"""Product of a transposed matrix with another: a register block of MR x 32 sums, edges outside the hot loop."""

import torch
from torch import nn

from kernelwright.inline import cpp, tuned

P = tuned(MR=[8, 6, 12, 4], ROWS=[32, 64], THREADS=[2, 1])

lib = cpp(
    r"""
#include <algorithm>
#include <cstring>

typedef float vec __attribute__((vector_size(64)));
static const int W = 16, NV = 2, NR = NV * W;

static inline vec load(const float* p) { vec v; std::memcpy(&v, p, sizeof v); return v; }
static inline void store(float* p, vec v) { std::memcpy(p, &v, sizeof v); }

// c[0..MR][0..NR] of a^T b: each loaded vector of b serves MR rows, all sums stay in registers.
static void block(const float* __restrict a, const float* __restrict b, float* __restrict c,
                  long m, long n, long k) {
    vec sum[MR][NV] = {};
    for (long p = 0; p < k; p++) {
        vec b0 = load(b + p * n), b1 = load(b + p * n + W);
        for (int i = 0; i < MR; i++) {
            float s = a[p * m + i];
            sum[i][0] += s * b0;
            sum[i][1] += s * b1;
        }
    }
    for (int i = 0; i < MR; i++) { store(c + i * n, sum[i][0]); store(c + i * n + W, sum[i][1]); }
}

static void edge(const float* a, const float* b, float* c, long m, long n, long k, long rows, long cols) {
    for (long i = 0; i < rows; i++)
        for (long j = 0; j < cols; j++) {
            float s = 0.0f;
            for (long p = 0; p < k; p++) s += a[p * m + i] * b[p * n + j];
            c[i * n + j] = s;
        }
}

extern "C" void product(const float* a, const float* b, float* c, long m, long n, long k) {
    #pragma omp parallel for collapse(2) schedule(static) num_threads(THREADS) if (m * n * k > 65536)
    for (long i0 = 0; i0 < m; i0 += ROWS)
        for (long j = 0; j < n; j += NR) {        // a panel of b, k x NR, is used for ROWS rows
            long last = std::min(m, i0 + ROWS), cols = std::min<long>(NR, n - j);
            long i = i0;
            if (cols == NR)
                for (; i + MR <= last; i += MR) block(a + i, b + j, c + i * n + j, m, n, k);
            edge(a + i, b + j, c + i * n + j, m, n, k, last - i, cols);
        }
}
""",
    defines=P,
)


class ModelNew(nn.Module):
    def forward(self, a, b):
        a, b = a.contiguous(), b.contiguous()
        (k, m), n = a.shape, b.shape[1]
        c = a.new_empty(m, n)
        lib.product(a, b, c, m, n, k)
        return c
