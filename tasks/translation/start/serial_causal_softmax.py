"""Causal softmax, three loops over the part of a row that counts."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cmath>

extern "C" void causal_softmax(const float* x, float* y, long heads, long tokens) {
    for (long row = 0; row < heads * tokens; row++) {
        const float* in = x + row * tokens;
        float* out = y + row * tokens;
        const long seen = row % tokens + 1;
        float largest = in[0], sum = 0.0f;
        for (long c = 1; c < seen; c++) largest = std::fmax(largest, in[c]);
        for (long c = 0; c < seen; c++) {
            out[c] = std::exp(in[c] - largest);
            sum += out[c];
        }
        for (long c = 0; c < seen; c++) out[c] /= sum;
        // A row that is not a number is so to its end, as the mask adds to all of it.
        for (long c = seen; c < tokens; c++) out[c] = std::isnan(sum) ? sum : 0.0f;
    }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, scores):
        scores = scores.contiguous()
        y = torch.empty_like(scores)
        tokens = scores.shape[-1]
        lib.causal_softmax(scores, y, scores.numel() // tokens**2, tokens)
        return y
