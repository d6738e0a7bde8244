"""The native path: NVRTC's machine code, launched by CuPy on torch's current stream. Needs a GPU."""

import pytest
import torch

from kernelwright.inline import cuda

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: nothing to launch on"),
]
SOURCE = r"""
extern "C" __global__ void scale(const float* x, float* y, int n, float k) {
  extern __shared__ float s[];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) s[threadIdx.x] = x[i];
  __syncthreads();
  if (i < n) y[i] = s[threadIdx.x] * k;
}
"""


def test_a_kernel_gives_what_torch_gives() -> None:
    x = torch.randn(1000, device="cuda")
    y = torch.empty_like(x)
    cuda(SOURCE).scale[4, 256, 1024](x, y, 1000, 3.0)
    assert torch.equal(y, x * 3.0)


def test_it_runs_on_the_current_stream() -> None:
    x, y = torch.zeros(1000, device="cuda"), torch.empty(1000, device="cuda")
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        x.add_(1.0)
        cuda(SOURCE).scale[4, 256, 1024](x, y, 1000, 3.0)
    stream.synchronize()
    assert torch.equal(y, torch.full_like(y, 3.0))


def test_more_than_48_kib_of_shared_memory_can_be_asked_for() -> None:
    x = torch.randn(256, device="cuda")
    y = torch.empty_like(x)
    cuda(SOURCE).scale[1, 256, 64 << 10](x, y, 256, 2.0)
    assert torch.equal(y, x * 2.0)
