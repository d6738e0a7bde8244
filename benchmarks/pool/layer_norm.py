"""Layer norm of rows, plain at first; each name in EDITS is one edit that a rewrite could make."""

import torch

from kernelwright.inline import cpp, tuned

EDITS = {"PARALLEL": 0, "ONE_PASS": 0, "LANED": 0, "FUSED": 0, "STREAM": 0}
P = tuned(LANES=[16], CHUNK=[8])
SOURCE = r"""
#include <cmath>
#include <cstdint>
#include <immintrin.h>
#ifndef CHUNK
#define CHUNK 8
#endif
#if LANED
template <class F> static inline float sum_of(long n, F f) {
    double part[LANES] = {};
    long i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; ++l) part[l] += f(i + l);
    double s = 0;
    for (; i < n; ++i) s += f(i);
    for (int l = 0; l < LANES; ++l) s += part[l];
    return s;
}
#else
template <class F> static inline float sum_of(long n, F f) {
    double s = 0;  // in float the plain sum is too inexact for rows far from 0
    for (long i = 0; i < n; ++i) s += f(i);
    return s;
}
#endif
// y = f(i); past the caches where STREAM is on, as nothing reads y again soon.
template <class F> static inline void write(float* __restrict__ y, long n, F f) {
    long i = 0;
#if STREAM
    for (; i < n && ((uintptr_t)(y + i) & 31); ++i) y[i] = f(i);
    for (; i + 8 <= n; i += 8) {
        alignas(32) float out[8];
        for (int l = 0; l < 8; ++l) out[l] = f(i + l);
        _mm256_stream_ps(y + i, _mm256_load_ps(out));
    }
#endif
    for (; i < n; ++i) y[i] = f(i);
}
extern "C" void run(
    const float* x, const float* weight, const float* bias, float* y, long rows, long n, float eps
) {
#if PARALLEL
#pragma omp parallel for schedule(dynamic, CHUNK)
#endif
    for (long r = 0; r < rows; ++r) {
        const float* a = x + r * n;
        float* b = y + r * n;
#if ONE_PASS
        float sum = 0, squares = 0;
        const float shift = a[0];
#if LANED
        float ps[LANES] = {}, pq[LANES] = {};
        long i = 0;
        for (; i + LANES <= n; i += LANES)
            for (int l = 0; l < LANES; ++l) {
                const float v = a[i + l] - shift;
                ps[l] += v;
                pq[l] += v * v;
            }
        for (int l = 0; l < LANES; ++l) { sum += ps[l]; squares += pq[l]; }
        for (; i < n; ++i) { const float v = a[i] - shift; sum += v; squares += v * v; }
#else
        for (long i = 0; i < n; ++i) { const float v = a[i] - shift; sum += v; squares += v * v; }
#endif
        const float off = sum / n, mean = shift + off, variance = squares / n - off * off;
#else
        const float mean = sum_of(n, [&](long i) { return a[i]; }) / n;
        const float variance =
            sum_of(n, [&](long i) { return (a[i] - mean) * (a[i] - mean); }) / n;
#endif
        const float scale = 1.f / std::sqrt(variance + eps);
#if FUSED
        write(b, n, [&](long i) { return (a[i] - mean) * scale * weight[i] + bias[i]; });
#else
        write(b, n, [&](long i) { return (a[i] - mean) * scale; });
#endif
    }
#if STREAM
    _mm_sfence();
#endif
#if !FUSED
#if PARALLEL
#pragma omp parallel for schedule(dynamic, CHUNK)
#endif
    for (long r = 0; r < rows; ++r)
        for (long i = 0; i < n; ++i) y[r * n + i] = y[r * n + i] * weight[i] + bias[i];
#endif
}
"""
lib = cpp(SOURCE, defines={**EDITS, **vars(P)})


class ModelNew(torch.nn.Module):
    """Layer norm of each token."""

    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)

    def forward(self, x):
        """Rows of the last dimension."""
        x = x.contiguous()
        y = torch.empty_like(x)
        width = x.shape[-1]
        norm = self.norm
        lib.run(x, norm.weight, norm.bias, y, x.numel() // width, width, norm.eps)
        return y
