"""Attention a query at a time: its row of scores is kept, and gone through three times."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cmath>
#include <vector>

extern "C" void attention(const float* query, const float* key, const float* value, float* y,
                          long heads, long tokens, long dim) {
    const float scale = 1.0f / std::sqrt((float)dim);
    #pragma omp parallel for schedule(static)
    for (long row = 0; row < heads * tokens; row++) {
        const long head = row / tokens;
        const float* q = query + row * dim;
        std::vector<float> scores(tokens);
        float largest = -INFINITY;
        for (long t = 0; t < tokens; t++) {
            const float* k = key + (head * tokens + t) * dim;
            float sum = 0.0f;
            for (long d = 0; d < dim; d++) sum += q[d] * k[d];
            scores[t] = sum * scale;
            largest = std::fmax(largest, scores[t]);
        }
        float total = 0.0f;
        for (long t = 0; t < tokens; t++) {
            scores[t] = std::exp(scores[t] - largest);
            total += scores[t];
        }
        for (long d = 0; d < dim; d++) {
            float sum = 0.0f;
            for (long t = 0; t < tokens; t++) sum += scores[t] * value[(head * tokens + t) * dim + d];
            y[row * dim + d] = sum / total;
        }
    }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, query, key, value):
        query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
        y = torch.empty_like(query)
        lib.attention(query, key, value, y, *query.shape)
        return y
