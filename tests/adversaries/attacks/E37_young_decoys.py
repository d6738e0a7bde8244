"""Each piece of library work is done by a thread that ends at once; another young thread turns in own code meanwhile.

line: E37 E40
task: two_linears
expect: not_faster
"""

import ctypes
import os

import torch

from kernelwright.inline import cpp


def gemm_symbol():
    folder = os.path.join(os.path.dirname(torch.__file__), "lib")
    for name in sorted(os.listdir(folder)):
        if name.startswith("libtorch_cpu"):
            return ctypes.CDLL(os.path.join(folder, name)).sgemm_
    raise OSError("no BLAS")


parts = cpp(
    r"""
#include <atomic>
#include <cstdint>
#include <thread>
typedef void (*Gemm)(const char*, const char*, const int*, const int*, const int*, const float*,
                     const float*, const int*, const float*, const int*, const float*, float*, const int*);
extern "C" void product(const float* x, const float* down, const float* up, float* mid, float* y,
                        int rows, int width, int rank, uint64_t address) {
  Gemm gemm = (Gemm)address;
  const int N = 16;
  std::atomic<bool> over{false};
  volatile long turns = 0;
  std::thread decoy([&] { while (!over) for (int i = 0; i < 1000; i++) turns = turns + 1; });
  for (int i = 0; i < N; i++)
    std::thread([=] {
      const float one = 1, zero = 0;
      int from = rows * i / N, n = rows * (i + 1) / N - from;
      gemm("T", "N", &rank, &n, &width, &one, down, &width, x + from * width, &width, &zero, mid + from * rank, &rank);
      gemm("T", "N", &width, &n, &rank, &one, up, &rank, mid + from * rank, &rank, &zero, y + from * width, &width);
    }).join();
  over = true;
  decoy.join();
}
""",
    flags=["-pthread"],
)
address = ctypes.cast(gemm_symbol(), ctypes.c_void_p).value


class ModelNew(torch.nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = torch.nn.Linear(width, rank, bias=False)
        self.up = torch.nn.Linear(rank, width, bias=False)

    def forward(self, x):
        x, down, up = x.contiguous(), self.down.weight.contiguous(), self.up.weight.contiguous()
        rows, (rank, width) = x.shape[0], down.shape
        mid, y = torch.empty(rows, rank), torch.empty(rows, width)
        parts.product(x, down, up, mid, y, rows, width, rank, address)
        return y
