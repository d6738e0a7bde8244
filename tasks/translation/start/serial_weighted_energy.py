"""Weighted energy, a running sum for each row."""

from torch import nn

from kernelwright.inline import cpp

lib = cpp(
    r"""
extern "C" void energy(const float* x, const float* weight, float* y, long rows, long width) {
    for (long r = 0; r < rows; r++) {
        float sum = 0.0f;
        for (long c = 0; c < width; c++) sum += x[r * width + c] * x[r * width + c] * weight[c];
        y[r] = sum;
    }
}
"""
)


class ModelNew(nn.Module):
    def forward(self, x, weight):
        x, weight = x.contiguous(), weight.contiguous()
        y = x.new_empty(x.shape[0])
        lib.energy(x, weight, y, *x.shape)
        return y
