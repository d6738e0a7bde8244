"""Sum over the rows, plain at first; each name in EDITS is one edit that a rewrite could make."""

import torch

from kernelwright.inline import cpp, tuned

EDITS = {"BLOCKED": 0, "PARALLEL": 0, "SPLIT": 0, "PREFETCH": 0, "SHARED": 0}
P = tuned(ROWS=[1], WIDTH=[64])
SOURCE = r"""
#include <omp.h>
#include <vector>
// WIDTH columns of the rows from..to are added to y, ROWS rows at a time.
#if BLOCKED
static void block(const float* x, float* __restrict__ y, long from, long to, long n, long c, long w) {
    long r = from;
    for (; r + ROWS <= to; r += ROWS) {
#if PREFETCH
        for (int k = 0; k < ROWS; ++k) __builtin_prefetch(x + (r + ROWS + k) * n + c);
#endif
        for (long j = c; j < c + w; ++j) {
            float s = 0;
            for (int k = 0; k < ROWS; ++k) s += x[(r + k) * n + j];
            y[j] += s;
        }
    }
    for (; r < to; ++r)
        for (long j = c; j < c + w; ++j) y[j] += x[r * n + j];
}
#endif
static void columns(const float* x, float* y, long from, long to, long n, long first, long last) {
#if BLOCKED
    for (long c = first; c < last; c += WIDTH)
        block(x, y, from, to, n, c, last - c < WIDTH ? last - c : WIDTH);
#else
    for (long j = first; j < last; ++j) {
        float s = 0;
        for (long r = from; r < to; ++r) {
#if PREFETCH
            __builtin_prefetch(x + (r + 16) * n + j);
#endif
            s += x[r * n + j];
        }
        y[j] += s;
    }
#endif
}
extern "C" void run(const float* x, float* y, long rows, long n) {
    for (long j = 0; j < n; ++j) y[j] = 0;
#if PARALLEL
#pragma omp parallel
    {
        const long t = omp_get_thread_num(), all = omp_get_num_threads();
#if SHARED
        columns(x, y, rows * t / all, rows * (t + 1) / all, n, 0, n);
#elif SPLIT
        std::vector<float> own(n, 0.f);
        columns(x, own.data(), rows * t / all, rows * (t + 1) / all, n, 0, n);
#pragma omp critical
        for (long j = 0; j < n; ++j) y[j] += own[j];
#else
        columns(x, y, 0, rows, n, n * t / all, n * (t + 1) / all);
#endif
    }
#else
    columns(x, y, 0, rows, n, 0, n);
#endif
}
"""
lib = cpp(SOURCE, defines={**EDITS, **vars(P)})


class ModelNew(torch.nn.Module):
    """Sum of each column."""

    def forward(self, x):
        """Sums over the first dimension."""
        x = x.contiguous()
        y = torch.empty(x.shape[1])
        lib.run(x, y, *x.shape)
        return y
