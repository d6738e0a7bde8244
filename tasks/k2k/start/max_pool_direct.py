"""Max pooling, each output from its nine inputs; NaN wins, as it does in PyTorch."""

from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cmath>

extern "C" void max_pool(const float* x, float* y, long planes, long height, long width,
                         long tall, long wide) {
    #pragma omp parallel for schedule(static)
    for (long plane = 0; plane < planes; plane++)
        for (long i = 0; i < tall; i++)
            for (long j = 0; j < wide; j++) {
                float largest = -INFINITY;
                for (long di = -1; di < 2; di++)
                    for (long dj = -1; dj < 2; dj++) {
                        const long row = 2 * i + di, col = 2 * j + dj;
                        if (row < 0 || row >= height || col < 0 || col >= width) continue;
                        const float v = x[(plane * height + row) * width + col];
                        if (v > largest || std::isnan(v)) largest = v;
                    }
                y[(plane * tall + i) * wide + j] = largest;
            }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        batch, channels, height, width = x.shape
        tall, wide = (height - 1) // 2 + 1, (width - 1) // 2 + 1
        y = x.new_empty(batch, channels, tall, wide)
        lib.max_pool(x, y, batch * channels, height, width, tall, wide)
        return y
