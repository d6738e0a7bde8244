"""Mean of messages: clear, add up, count and divide, each in a loop of its own."""

import torch
from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <algorithm>
#include <vector>

extern "C" void mean_by_node(const float* state, const float* messages, const long* node, float* y,
                             long count, long nodes, long width) {
    std::vector<float> total(nodes * width, 0.0f);
    std::vector<long> received(nodes, 0);
    for (long m = 0; m < count; m++) {
        received[node[m]]++;
        for (long c = 0; c < width; c++) total[node[m] * width + c] += messages[m * width + c];
    }
    for (long n = 0; n < nodes; n++)
        for (long c = 0; c < width; c++)
            y[n * width + c] =
                state[n * width + c] + total[n * width + c] / std::max(received[n], 1L);
}
"""
)


class ModelNew(nn.Module):
    def forward(self, state, messages, node):
        state, messages, node = state.contiguous(), messages.contiguous(), node.contiguous()
        y = torch.empty_like(state)
        lib.mean_by_node(state, messages, node, y, messages.shape[0], *state.shape)
        return y
