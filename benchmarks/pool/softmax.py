"""Row softmax, plain at first; each name in EDITS is one structural edit that a rewrite could make."""

import torch

from kernelwright.inline import cpp, tuned

EDITS = {"PARALLEL": 0, "POLY_EXP": 0, "LANED": 0, "KEEP": 0, "NO_MAX": 0}
P = tuned(LANES=[8], CHUNK=[16])
SOURCE = r"""
#include <cmath>
#include <cstdint>
#include <cstring>
#if POLY_EXP
static inline float ex(float x) {  // 2^n * polynomial, Cody-Waite reduction
    x = x < -87.f ? -87.f : x;
    float n = std::nearbyint(x * 1.44269504f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691e-4f;
    p = p * r + 1.3981999e-3f; p = p * r + 8.3334519e-3f; p = p * r + 4.1665795e-2f;
    p = p * r + 1.6666666e-1f; p = p * r + 0.5f;
    p = p * r * r + r + 1.f;
    int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    std::memcpy(&scale, &bits, 4);
    return p * scale;
}
#else
static inline float ex(float x) { return std::exp(x); }
#endif
#ifndef CHUNK
#define CHUNK 16
#endif
#if LANED
template <class F> static inline float sum_of(long n, F f) {
    float part[LANES] = {};
    long i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; ++l) part[l] += f(i + l);
    float s = 0;
    for (; i < n; ++i) s += f(i);
    for (int l = 0; l < LANES; ++l) s += part[l];
    return s;
}
static inline float max_of(const float* x, long n) {
    float part[LANES];
    for (int l = 0; l < LANES; ++l) part[l] = x[0];
    long i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; ++l) part[l] = part[l] < x[i + l] ? x[i + l] : part[l];
    float m = x[0];
    for (; i < n; ++i) m = m < x[i] ? x[i] : m;
    for (int l = 0; l < LANES; ++l) m = m < part[l] ? part[l] : m;
    return m;
}
#else
template <class F> static inline float sum_of(long n, F f) {
    float s = 0;
    for (long i = 0; i < n; ++i) s += f(i);
    return s;
}
static inline float max_of(const float* x, long n) {
    float m = x[0];
    for (long i = 0; i < n; ++i) m = m < x[i] ? x[i] : m;
    return m;
}
#endif
extern "C" void softmax(const float* x, float* y, long rows, long n) {
#if PARALLEL
#pragma omp parallel for schedule(dynamic, CHUNK)
#endif
    for (long r = 0; r < rows; ++r) {
        const float* a = x + r * n;
        float* __restrict__ b = y + r * n;
#if NO_MAX
        const float m = 0.f;
#else
        const float m = max_of(a, n);
#endif
#if KEEP
        const float s = 1.f / sum_of(n, [&](long i) { return b[i] = ex(a[i] - m); });
        for (long i = 0; i < n; ++i) b[i] *= s;
#else
        const float s = 1.f / sum_of(n, [&](long i) { return ex(a[i] - m); });
        for (long i = 0; i < n; ++i) b[i] = ex(a[i] - m) * s;
#endif
    }
}
"""
lib = cpp(SOURCE, defines={**EDITS, **vars(P)})


class ModelNew(torch.nn.Module):
    """Softmax of each row."""

    def forward(self, x):
        """Rows of the last dimension."""
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.softmax(x, y, x.numel() // x.shape[-1], x.shape[-1])
        return y
