"""Convolution, ReLU and max-pool, plain at first; each name in EDITS is one edit of a rewrite."""

import torch

from kernelwright.inline import cpp, tuned

EDITS = {"PARALLEL": 0, "FINE": 0, "FUSED": 0, "PADDED": 0, "BLOCKED": 0}
P = tuned(CHANNELS=[4], COLUMNS=[8])
SOURCE = r"""
#include <vector>
#if !BLOCKED
#define CHANNELS 1
#define COLUMNS 1
#endif
static inline float relu(float v) { return v < 0.f ? 0.f : v; }  // NaN stays
static inline float larger(float a, float b) { return a > b || a != a ? a : b; }
struct Image { const float* data; long h, w, pad; };  // padded by `pad` on every side
// One row of CHANNELS outputs, columns from..from+COLUMNS, into acc.
static inline void tile(
    const Image& in, const float* weight, const float* bias, float (&acc)[CHANNELS][COLUMNS],
    long inputs, long o, long outputs, long row, long from
) {
    for (int c = 0; c < CHANNELS; ++c)
        for (int j = 0; j < COLUMNS; ++j) acc[c][j] = o + c < outputs ? bias[o + c] : 0.f;
    const long width = in.w + 2 * in.pad, height = in.h + 2 * in.pad;
    for (long i = 0; i < inputs; ++i)
        for (int ky = 0; ky < 3; ++ky)
            for (int kx = 0; kx < 3; ++kx) {
                const long y = row + ky - 1 + in.pad, x = from + kx - 1 + in.pad;
                float at[COLUMNS];
                for (int j = 0; j < COLUMNS; ++j) {
#if PADDED
                    at[j] = in.data[(i * height + y) * width + x + j];
#else
                    const bool inside = y >= 0 && y < in.h && x + j >= 0 && x + j < in.w;
                    at[j] = inside ? in.data[(i * height + y) * width + x + j] : 0.f;
#endif
                }
                for (int c = 0; c < CHANNELS; ++c) {
                    const long channel = o + c < outputs ? o + c : outputs - 1;
                    const float a = weight[(channel * inputs + i) * 9 + ky * 3 + kx];
                    for (int j = 0; j < COLUMNS; ++j) acc[c][j] += a * at[j];
                }
            }
}
// Rows 2 * pooled and 2 * pooled + 1 of the convolution, pooled to one row of the output.
static void strip(
    const Image& in, const float* weight, const float* bias, float* conv, float* out, long inputs,
    long outputs, long o, long pooled
) {
    const long w2 = in.w / 2, h2 = in.h / 2;
    for (int half = 0; half < 2; ++half)
        for (long from = 0; from < in.w; from += COLUMNS) {
            float acc[CHANNELS][COLUMNS];
            const long row = 2 * pooled + half;
            tile(in, weight, bias, acc, inputs, o, outputs, row, from);
            for (int c = 0; c < CHANNELS && o + c < outputs; ++c)
                for (int j = 0; j < COLUMNS && from + j < in.w; ++j) {
#if FUSED
                    if ((from + j) / 2 >= w2) continue;
                    float& best = out[((o + c) * h2 + pooled) * w2 + (from + j) / 2];
                    const float v = relu(acc[c][j]);
                    best = half == 0 && (from + j) % 2 == 0 ? v : larger(best, v);
#else
                    conv[((o + c) * in.h + row) * in.w + from + j] = acc[c][j];
#endif
                }
        }
}
static void pool(float* conv, float* out, long outputs, long h, long w) {
    for (long i = 0; i < outputs * h * w; ++i) conv[i] = relu(conv[i]);
    const long h2 = h / 2, w2 = w / 2;
    for (long o = 0; o < outputs; ++o)
        for (long y = 0; y < h2; ++y)
            for (long x = 0; x < w2; ++x) {
                const float* a = conv + (o * h + 2 * y) * w + 2 * x;
                out[(o * h2 + y) * w2 + x] = larger(larger(a[0], a[1]), larger(a[w], a[w + 1]));
            }
}
static std::vector<float> padded(const float* x, long inputs, long h, long w) {
    const long wide = w + 2 * COLUMNS;
    std::vector<float> out(inputs * (h + 2 * COLUMNS) * wide, 0.f);
    for (long i = 0; i < inputs; ++i)
        for (long y = 0; y < h; ++y)
            for (long c = 0; c < w; ++c)
                out[(i * (h + 2 * COLUMNS) + y + COLUMNS) * wide + c + COLUMNS] =
                    x[(i * h + y) * w + c];
    return out;
}
extern "C" void run(
    const float* x, const float* weight, const float* bias, float* conv, float* out, long batch,
    long inputs, long outputs, long h, long w
) {
#if PADDED
    std::vector<std::vector<float>> wide(batch);
#if PARALLEL
#pragma omp parallel for
#endif
    for (long b = 0; b < batch; ++b) wide[b] = padded(x + b * inputs * h * w, inputs, h, w);
#endif
#if PARALLEL && FINE
#pragma omp parallel for collapse(3) schedule(static)
#elif PARALLEL
#pragma omp parallel for
#endif
    for (long b = 0; b < batch; ++b)
        for (long o = 0; o < outputs; o += CHANNELS)
            for (long y = 0; y < h / 2; ++y) {
#if PADDED
                const Image in = {wide[b].data(), h, w, COLUMNS};
#else
                const Image in = {x + b * inputs * h * w, h, w, 0};
#endif
                strip(in, weight, bias, conv + b * outputs * h * w,
                      out + b * outputs * (h / 2) * (w / 2), inputs, outputs, o, y);
            }
#if !FUSED
#if PARALLEL
#pragma omp parallel for
#endif
    for (long b = 0; b < batch; ++b)
        pool(conv + b * outputs * h * w, out + b * outputs * (h / 2) * (w / 2), outputs, h, w);
#endif
}
"""
lib = cpp(SOURCE, defines={**EDITS, **vars(P)})


class ModelNew(torch.nn.Module):
    """A 3x3 convolution, ReLU and a max-pool of two by two."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = torch.nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)

    def forward(self, x):
        """Batch, channels, height, width."""
        x = x.contiguous()
        batch, inputs, height, width = x.shape
        weight, bias = self.conv.weight, self.conv.bias
        outputs = weight.shape[0]
        conv = torch.empty(batch, outputs, height, width)
        out = torch.empty(batch, outputs, height // 2, width // 2)
        lib.run(x, weight, bias, conv, out, batch, inputs, outputs, height, width)
        return out
