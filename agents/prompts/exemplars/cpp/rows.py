# families: rows
# solves: core/l2_normalize
# like: l2_normalize, F.normalize
"""Rows divided by their Euclidean norm: sum in lanes, then scale while the row is in L1."""

import torch
from torch import nn

from kernelwright.inline import cpp, tuned

P = tuned(LANES=[64, 32, 128], THREADS=[2, 1])

lib = cpp(
    r"""
#include <cmath>

// Sum of squares in LANES partial sums: short chains, and a smaller error than one long sum.
static float squares(const float* __restrict x, long n) {
    float part[LANES] = {};
    long i = 0;
    for (; i + LANES <= n; i += LANES)
        #pragma omp simd
        for (int l = 0; l < LANES; l++) part[l] += x[i + l] * x[i + l];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) part[l] += part[l + width];
    float s = part[0];
    for (; i < n; i++) s += x[i] * x[i];
    return s;
}

extern "C" void normalize_rows(const float* __restrict x, float* __restrict y, long rows, long n,
                               float least) {
    #pragma omp parallel for schedule(static) num_threads(THREADS) if (rows * n > 16384)
    for (long r = 0; r < rows; r++) {
        const float* xr = x + r * n;
        float* yr = y + r * n;
        float norm = std::sqrt(squares(xr, n));
        norm = norm < least ? least : norm;       // NaN stays NaN
        #pragma omp simd
        for (long i = 0; i < n; i++) yr[i] = xr[i] / norm;
    }
}
""",
    defines=P,
)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        n = x.shape[-1]
        if x.numel():
            lib.normalize_rows(x, y, x.numel() // n, n, 1e-12)
        return y
