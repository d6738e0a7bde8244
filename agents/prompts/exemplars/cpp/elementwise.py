# families: elementwise
# solves: core/gated_residual
# like: gated_residual, sigmoid(gate
"""Gated residual: x + sigmoid(gate + bias) * update, one pass, own exponential in the vector loop."""

import torch
from torch import nn

from kernelwright.inline import cpp, tuned

P = tuned(THREADS=[2, 1])

lib = cpp(
    r"""
#include <cstdint>
#include <cstring>

static inline float from_bits(uint32_t u) { float f; std::memcpy(&f, &u, 4); return f; }
static inline uint32_t bits(float f) { uint32_t u; std::memcpy(&u, &f, 4); return u; }

// exp(x) to 2e-7; inf above 88.72, 0 far below, NaN stays NaN. No branch and no call: it vectorises.
static inline float fast_exp(float x) {
    float c = x > 89.0f ? 89.0f : x;        // compared so that NaN passes
    c = c < -104.0f ? -104.0f : c;
    float shifted = c * 1.44269504f + 12582912.0f;   // 1.5 * 2^23: the integer lies in the low bits
    float n = shifted - 12582912.0f;
    int32_t k = (int32_t)(bits(shifted) - 0x4b400000u);
    float r = (c - n * 0.693145752f) - n * 1.42860677e-6f;
    float p = 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    int32_t half = k >> 1;                  // 2^k in two factors: k may leave the range of one
    return p * from_bits((uint32_t)(half + 127) << 23) * from_bits((uint32_t)(k - half + 127) << 23);
}

extern "C" void gated_residual(const float* __restrict x, const float* __restrict update,
                               const float* __restrict gate, const float* __restrict bias,
                               float* __restrict y, long rows, long n) {
    #pragma omp parallel for schedule(static) num_threads(THREADS) if (rows * n > 16384)
    for (long r = 0; r < rows; r++) {
        const float *xr = x + r * n, *ur = update + r * n, *gr = gate + r * n;
        float* yr = y + r * n;
        #pragma omp simd
        for (long i = 0; i < n; i++)
            yr[i] = xr[i] + ur[i] / (1.0f + fast_exp(-(gr[i] + bias[i])));
    }
}
""",
    defines=P,
)


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x, update, gate):
        x, update, gate = x.contiguous(), update.contiguous(), gate.contiguous()
        y = torch.empty_like(x)
        n = x.shape[-1]
        if x.numel():
            lib.gated_residual(x, update, gate, self.bias.contiguous(), y, x.numel() // n, n)
        return y
