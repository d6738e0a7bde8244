"""Cross-entropy of rows, plain at first; each name in EDITS is one edit that a rewrite could make."""

import torch

from kernelwright.inline import cpp, tuned

EDITS = {"PARALLEL": 0, "POLY_EXP": 0, "LANED": 0, "ONLINE": 0, "NO_MAX": 0}
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
#if !LANED
#undef LANES
#define LANES 1
#endif
static inline float lse(const float* x, long n) {
    float m[LANES], s[LANES];
    for (int l = 0; l < LANES; ++l) { m[l] = x[0]; s[l] = 0; }
    long whole = n / LANES * LANES;
#if NO_MAX
    for (int l = 0; l < LANES; ++l) m[l] = 0;
    for (long i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; ++l) s[l] += ex(x[i + l]);
#elif ONLINE
    for (long i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; ++l) {
            const float v = x[i + l], big = m[l] < v ? v : m[l];
            s[l] = s[l] * ex(m[l] - big) + ex(v - big);
            m[l] = big;
        }
#else
    for (long i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; ++l) m[l] = m[l] < x[i + l] ? x[i + l] : m[l];
    float top = m[0];
    for (int l = 0; l < LANES; ++l) top = top < m[l] ? m[l] : top;
    for (int l = 0; l < LANES; ++l) m[l] = top;
    for (long i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; ++l) s[l] += ex(x[i + l] - top);
#endif
    float top2 = m[0];
    for (int l = 0; l < LANES; ++l) top2 = top2 < m[l] ? m[l] : top2;
    for (long i = whole; i < n; ++i) top2 = top2 < x[i] ? x[i] : top2;
#if NO_MAX
    top2 = 0;
#endif
    float sum = 0;
    for (int l = 0; l < LANES; ++l) sum += s[l] * ex(m[l] - top2);
    for (long i = whole; i < n; ++i) sum += ex(x[i] - top2);
    return top2 + std::log(sum);
}
extern "C" void loss(const float* x, const int64_t* t, float* y, long rows, long n) {
#if PARALLEL
#pragma omp parallel for schedule(dynamic, CHUNK)
#endif
    for (long r = 0; r < rows; ++r) y[r] = lse(x + r * n, n) - x[r * n + t[r]];
}
"""
lib = cpp(SOURCE, defines={**EDITS, **vars(P)})


class ModelNew(torch.nn.Module):
    """A loss for each row."""

    def forward(self, logits, targets):
        """Logits in rows, one target a row."""
        logits, targets = logits.contiguous(), targets.contiguous()
        y = torch.empty(logits.shape[0])
        lib.loss(logits, targets, y, *logits.shape)
        return y
