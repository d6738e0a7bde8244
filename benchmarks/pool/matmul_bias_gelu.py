"""Product, bias and GELU, plain at first; each name in EDITS is one edit that a rewrite could make."""

import torch

from kernelwright.inline import cpp, tuned

EDITS = {"PARALLEL": 0, "TILED": 0, "FUSED": 0, "POLY_EXP": 0, "BF16": 0}
P = tuned(MR=[2], NR=[16])
SOURCE = r"""
#include <cmath>
#include <cstdint>
#include <cstring>
#if BF16
static inline float in(float x) {  // inputs of the product cut to bfloat16
    uint32_t b;
    std::memcpy(&b, &x, 4);
    b &= 0xffff0000u;
    std::memcpy(&x, &b, 4);
    return x;
}
#else
static inline float in(float x) { return x; }
#endif
#if POLY_EXP
static inline float ex(float x) {
    x = x < -87.f ? -87.f : (x > 87.f ? 87.f : x);
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
static inline float gelu(float x) {  // tanh(u) is 1 - 2 / (exp(2 u) + 1)
    const float u = 0.7978845608f * (x + 0.044715f * x * x * x);
    return 0.5f * x * (1.f + (1.f - 2.f / (ex(2.f * u) + 1.f)));
}
#else
static inline float gelu(float x) {
    const float u = 0.7978845608f * (x + 0.044715f * x * x * x);
    return 0.5f * x * (1.f + std::tanh(u));
}
#endif
static inline void after(float* __restrict__ y, const float* __restrict__ bias, long n) {
    for (long j = 0; j < n; ++j) y[j] = gelu(y[j] + bias[j]);
}
#if TILED
template <int ROWS> static void strip(
    const float* x, const float* w, const float* bias, float* y, long k, long n
) {
    long j = 0;
    for (; j + NR <= n; j += NR) {
        float acc[ROWS][NR] = {};
        for (long p = 0; p < k; ++p) {
            float b[NR];
            for (int c = 0; c < NR; ++c) b[c] = in(w[p * n + j + c]);
            for (int r = 0; r < ROWS; ++r) {
                const float a = in(x[r * k + p]);
                for (int c = 0; c < NR; ++c) acc[r][c] += a * b[c];
            }
        }
        for (int r = 0; r < ROWS; ++r) {
            for (int c = 0; c < NR; ++c) y[r * n + j + c] = acc[r][c];
#if FUSED
            after(y + r * n + j, bias + j, NR);
#endif
        }
    }
    for (; j < n; ++j)
        for (int r = 0; r < ROWS; ++r) {
            float acc = 0;
            for (long p = 0; p < k; ++p) acc += in(x[r * k + p]) * in(w[p * n + j]);
            y[r * n + j] = acc;
#if FUSED
            after(y + r * n + j, bias + j, 1);
#endif
        }
}
#endif
extern "C" void run(
    const float* x, const float* w, const float* bias, float* y, long m, long k, long n
) {
#if TILED
    const long whole = m / MR;
#if PARALLEL
#pragma omp parallel for
#endif
    for (long b = 0; b < whole; ++b)
        strip<MR>(x + b * MR * k, w, bias, y + b * MR * n, k, n);
    for (long r = whole * MR; r < m; ++r) strip<1>(x + r * k, w, bias, y + r * n, k, n);
#else
#if PARALLEL
#pragma omp parallel for
#endif
    for (long r = 0; r < m; ++r) {
        float* __restrict__ out = y + r * n;
        for (long j = 0; j < n; ++j) out[j] = 0;
        for (long p = 0; p < k; ++p) {
            const float a = in(x[r * k + p]);
            for (long j = 0; j < n; ++j) out[j] += a * in(w[p * n + j]);
        }
#if FUSED
        after(out, bias, n);
#endif
    }
#endif
#if !FUSED
    for (long r = 0; r < m; ++r) after(y + r * n, bias, n);
#endif
}
"""
lib = cpp(SOURCE, defines={**EDITS, **vars(P)})


class ModelNew(torch.nn.Module):
    """GELU of x @ weight + bias."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = torch.nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        """Tokens in rows."""
        x = x.contiguous()
        y = torch.empty(x.shape[0], self.weight.shape[1])
        lib.run(x, self.weight, self.bias, y, *x.shape, self.weight.shape[1])
        return y
