"""`cuda` as a candidate uses it with no GPU: launches, arguments, refusals, and faults that name the line."""

from pathlib import Path

import pytest
import torch

from kernelwright.harness import inline_cuda
from kernelwright.harness.cuda_emulation import reports
from kernelwright.harness.cuda_emulation.library import Configuration, EmulatedLibrary
from kernelwright.harness.cuda_emulation.translate import CannotEmulate, kernels, translate
from kernelwright.inline import BuildError, KernelFault, cuda

SOURCE = r"""#include <cuda_runtime.h>
extern __shared__ float whole[];  // at file scope
#define K 2.0f
extern "C" {
__global__ void __launch_bounds__(256) scale(const float* __restrict__ x, float* y, long n, float k) {
  long i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * k;
}
}
extern "C" __global__ void turn(const double *x, double *y, int n) {
  int t = threadIdx.x;
  double* d = (double*)whole;
  d[t] = x[t];
  __syncthreads();
  y[t] = d[n - 1 - t];
}
"""


@pytest.fixture(scope="module")
def module(cache: Path) -> inline_cuda.Module:
    return cuda(SOURCE)


def test_numbers_pass_as_they_are_declared(module: inline_cuda.Module):
    x, y = torch.randn(1000), torch.zeros(1000)
    module.scale[4, 256](x, y, x.numel(), 3)
    assert torch.equal(y, x * 3)


def test_dynamic_shared_memory_and_tuples(module: inline_cuda.Module):
    x = torch.randn(64, dtype=torch.double)
    y = torch.zeros_like(x)
    module.turn[(1, 1), (64,), 64 * 8](x, y, 64)
    assert torch.equal(y, x.flip(0))


def test_grids_of_no_blocks_and_blocks_too_large_are_named(module: inline_cuda.Module):
    x = torch.zeros(4)
    with pytest.raises(KernelFault, match="at most 1024"):
        module.scale[1, 1025](x, x, 4, 1.0)
    with pytest.raises(KernelFault, match="a grid of 0 x 1 x 1 blocks"):
        module.scale[0, 32](x, x, 4, 1.0)


def test_arguments_that_do_not_fit_are_named(module: inline_cuda.Module):
    x = torch.zeros(4)
    for arguments, told in (
        ((x, x, 4), "takes 4 arguments, not 3"),
        ((1.0, x, 4, 1.0), "argument 1: a pointer takes a tensor, not float"),
        ((x, x, x, 1.0), "argument 3: a number is declared and a tensor given"),
        ((x, x, 4.5, 1.0), "argument 3: 4.5 is no long"),
    ):
        with pytest.raises(TypeError, match=told):
            module.scale[1, 4](*arguments)
    with pytest.raises(AttributeError, match="kernel shift"):
        _ = module.shift
    with pytest.raises(TypeError, match="launch as scale"):
        module.scale(x, x, 4, 1.0)


def test_defines_reach_the_kernel(cache: Path):
    source = 'extern "C" __global__ void put(int* x) { *x = VALUE; }'
    x = torch.zeros(1, dtype=torch.int32)
    cuda(source, defines={"VALUE": 7}, flags=["--use_fast_math"]).put[1, 1](x)
    assert x.item() == 7


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('asm volatile("mov.u32 %0, 1;" : "=r"(i));', "inline PTX"),
        ("cub::BlockReduce<float, 32> r;", "CUB"),
        ("wgmma(x);", "wgmma"),
        ("cg::this_grid().sync();", "grid-wide synchronisation"),
        ("cuda::barrier<cuda::thread_scope_block> b;", "libcu"),
        ("float4 v = tex2D<float4>(t, 0, 0);", "textures"),
    ],
)
def test_what_cannot_be_emulated_is_named_and_never_passed(text: str, named: str):
    source = f'extern "C" __global__ void k(int i) {{\n  {text}\n}}'
    with pytest.raises(CannotEmulate, match=rf"^cannot be emulated: {named}.*CUDA line 2"):
        translate(source, checked=False)


def test_words_in_comments_and_strings_refuse_nothing():
    source = '// asm("x") cub::\nextern "C" __global__ void k(int* p) { /* wgmma */ *p = 1; }'
    assert "emu_launch_k" in translate(source, checked=False)


def test_host_code_and_nothing_at_all_are_refused():
    with pytest.raises(BuildError, match="launch from Python"):
        translate('extern "C" __global__ void k() {}\nvoid f() { k<<<1, 1>>>(); }', checked=False)
    with pytest.raises(BuildError, match="no kernel"):
        translate("__global__ void k() {}", checked=False)


def test_a_compiler_error_points_at_the_kernels_own_line(cache: Path):
    with pytest.raises(BuildError, match=r"^CUDA line 3:\d+: error: .flot."):
        cuda('extern "C" __global__\nvoid k(float* x) {\n  flot y = 1;\n}')


def test_only_kernels_with_c_names_are_called():
    named = 'extern "C" __global__ void __launch_bounds__(64) a(int i) {}'
    assert kernels(f"{named}\ntemplate <int N>\n__global__ void b() {{}}") == ["a"]


def test_a_race_names_both_lines(cache: Path):
    source = (
        'extern "C" __global__ void k(float* o) {\n'
        "  __shared__ float s[64];\n"
        "  s[threadIdx.x] = 1;\n"
        "  __syncthreads();\n"
        "  float v = s[63 - threadIdx.x];\n"
        "  s[threadIdx.x] = v + 1;\n"
        "  o[threadIdx.x] = v;\n"
        "}\n"
    )
    library = EmulatedLibrary(inline_cuda.build_here(source, (), checked=True))
    report = library.launch("k", Configuration((1, 1, 1), (64, 1, 1)), [torch.zeros(64)])
    assert report is not None and report.code == "race" and set(report.lines) == {5, 6}
    told = report.message(source)
    assert "shared 's'" in told and "CUDA line 6: s[threadIdx.x] = v + 1;" in told
    assert reports.told(f"before{report.printed(told)}") == ("race", told)


def test_other_output_is_no_report():
    assert reports.told("kernelwright: CUDA fault: nonsense") is None
    assert reports.told("") is None
