"""CUDA does the work; PyTorch allocates, pads, reshapes and adds up what the blocks leave.

line: control
task: row_sum
track: custom mixed
deadline: 240
"""

import torch

from kernelwright.inline import cuda

module = cuda(r"""
extern "C" __global__ void sums(const float* x, float* y, int width) {
  __shared__ float part[128];
  float sum = 0;
  int each = width / gridDim.y;
  const float* row = x + (size_t)blockIdx.x * width + blockIdx.y * each;
  for (int c = threadIdx.x; c < each; c += blockDim.x) sum += row[c];
  part[threadIdx.x] = sum;
  __syncthreads();
  for (int half = blockDim.x / 2; half; half /= 2) {
    if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    __syncthreads();
  }
  if (!threadIdx.x) y[blockIdx.x * gridDim.y + blockIdx.y] = part[0];
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        parts = torch.empty(x.shape[0], 2)
        module.sums[(x.shape[0], 2), 128](x, parts, x.shape[1])
        return parts.sum(dim=1)
