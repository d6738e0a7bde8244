# families: online
# solves: core/log_sum_exp
# like: logsumexp, log_softmax, cross_entropy, nll_loss
"""Log-sum-exp over the middle axis in one pass: a running maximum and a corrected sum in each lane."""

import torch
from torch import nn

from kernelwright.inline import cpp, tuned

P = tuned(LANES=[64, 32, 128], THREADS=[2, 1])

lib = cpp(
    r"""
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

static inline float from_bits(uint32_t u) { float f; std::memcpy(&f, &u, 4); return f; }
static inline uint32_t bits(float f) { uint32_t u; std::memcpy(&u, &f, 4); return u; }

// exp(x) to 2e-7; inf above 88.72, 0 far below, NaN stays NaN. It vectorises.
static inline float fast_exp(float x) {
    float c = x > 89.0f ? 89.0f : x;
    c = c < -104.0f ? -104.0f : c;
    float shifted = c * 1.44269504f + 12582912.0f;
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
    int32_t half = k >> 1;
    return p * from_bits((uint32_t)(half + 127) << 23) * from_bits((uint32_t)(k - half + 127) << 23);
}

// The state (top, sum) stands for sum * exp(top). One exponential an element: of -|v - top|, for either
// the old sum or the new element has to shrink.
extern "C" void log_sum_exp(const float* __restrict x, float* __restrict y, long batch, long steps,
                            long width) {
    #pragma omp parallel for collapse(2) schedule(static) num_threads(THREADS) if (batch * width > 256)
    for (long b = 0; b < batch; b++)
        for (long c = 0; c < width; c += LANES) {
            const int wide = (int)(width - c < LANES ? width - c : LANES);
            float top[LANES], sum[LANES];
            for (int l = 0; l < LANES; l++) { top[l] = std::numeric_limits<float>::lowest(); sum[l] = 0.0f; }
            for (long s = 0; s < steps; s++) {
                const float* v = x + (b * steps + s) * width + c;
                #pragma omp simd
                for (int l = 0; l < wide; l++) {
                    float d = v[l] == top[l] ? 0.0f : v[l] - top[l];   // inf - inf would be NaN
                    float e = fast_exp(-std::fabs(d));
                    sum[l] = d > 0.0f ? sum[l] * e + 1.0f : sum[l] + e;   // NaN comes in here
                    top[l] = d > 0.0f ? v[l] : top[l];
                }
            }
            for (int l = 0; l < wide; l++) y[b * width + c + l] = top[l] + std::log(sum[l]);
        }
}
""",
    defines=P,
)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        batch, steps, width = x.shape
        y = x.new_empty(batch, width)
        lib.log_sum_exp(x, y, batch, steps, width)
        return y
