"""Batch norm whose running statistics are new tensors after each call, made by a kernel of its own.

task: batch_norm_modes
"""

import torch

from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
#include <cstdint>
extern "C" void moments(const float* x, float* mean, float* variance, int64_t rows, int64_t width) {
  for (int64_t c = 0; c < width; c++) {
    double sum = 0, squares = 0;
    for (int64_t r = 0; r < rows; r++) sum += x[r * width + c];
    mean[c] = (float)(sum / rows);
    for (int64_t r = 0; r < rows; r++) {
      double off = x[r * width + c] - sum / rows;
      squares += off * off;
    }
    variance[c] = (float)(squares / rows);
  }
}
""")


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(width)

    def forward(self, x):
        norm = self.norm
        mean, variance = norm.running_mean, norm.running_var
        if self.training:
            x = x.contiguous()
            rows, width = x.shape
            mean, variance = torch.empty(width), torch.empty(width)
            lib.moments(x, mean, variance, rows, width)
            kept, step = 1 - norm.momentum, norm.momentum
            norm.running_mean = kept * norm.running_mean + step * mean
            norm.running_var = kept * norm.running_var + step * rows / (rows - 1) * variance
            norm.num_batches_tracked = norm.num_batches_tracked + 1
        return (x - mean) * torch.rsqrt(variance + norm.eps) * norm.weight + norm.bias
