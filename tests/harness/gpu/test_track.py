"""Whose kernels ran: by their names, and only where the profile can be of that call."""

import pytest

from kernelwright.harness.gpu.device import Interval
from kernelwright.harness.gpu.track import GpuProfile, busy
from kernelwright.harness.gpu.worker import Profiled

SOURCE = '''
import torch, triton
from kernelwright.inline import cuda

mod = cuda(r"""
extern "C" __global__ void bias_gelu(const float* x, float* y, int n) { }
extern "C" __global__ void __launch_bounds__(256) tiled(const float* x) { }
template <typename T> __global__ void templated(T* x) { }
extern "C" __global__ void nothing(const float* x, int n) { }
""")

@triton.autotune(configs=[], key=["n"])
@triton.jit
def softmax_rows(x, y, n):
    pass
'''
PROFILE = GpuProfile.source(SOURCE)


@pytest.mark.parametrize(
    "name, own",
    [
        ("bias_gelu", True),
        ("tiled", True),
        ("void templated<float>(float*)", True),
        ("softmax_rows", True),
        ("softmax_rows_0d1d2de", True),
        ("triton_poi_fused_gelu_0", False),
        (
            "void at::native::vectorized_elementwise_kernel<4, at::native::GeluCUDAKernelImpl>",
            False,
        ),
        ("ampere_sgemm_128x64_tn", False),
        ("sm90_xmma_gemm_f32f32_tf32f32_f32_tn_n_tilesize64x64x32", False),
        ("void cutlass::Kernel2<cutlass_80_simt_sgemm_128x64_8x5_nn_align1>(T1::Params)", False),
        ("nvjet_hsh_128x128_64x4_1x2_h_bz_coopA_NNT", False),
        ("void cub::DeviceReduceKernel<bias_gelu>(float*)", False),
        ("void gemv2T_kernel_val<int, int, float>", False),
        ("Memcpy DtoD (Device -> Device)", False),
        ("Memset (Device)", False),
        ("somebody_elses", False),
        ("bias_gelu_of_somebody_else", False),
    ],
)
def test_a_kernel_is_ones_own_by_its_name(name: str, own: bool):
    assert PROFILE.is_own(name) is own


def profiled(*ran: tuple[str, float, float], device_s: float = 1e-3) -> GpuProfile:
    return PROFILE.of(Profiled(tuple(Interval(*one) for one in ran), device_s))


def test_the_track_follows_the_time_on_the_device():
    own, fig_leaf = ("bias_gelu", 0.0, 9.5e-4), ("nothing", 0.0, 2e-6)
    library = ("void at::native::gelu", 0.0, 4e-4)
    assert profiled(own).track(1e-3) == "custom"
    assert profiled(own, ("Memset (Device)", 0.0, 5e-5)).track(1e-3) == "custom"
    assert profiled(own, library).track(1e-3) == "mixed"
    assert profiled(fig_leaf, library).track(1e-3) == "library"
    assert profiled(library).own_share(1e-3) == 0.0


def test_a_profile_that_cannot_be_of_the_call_gives_no_track():
    assert profiled().track(1e-3) is None
    assert "saw nothing" in str(profiled().doubt(1e-3))
    forged = profiled(("bias_gelu", 0.0, 0.1))
    assert forged.track(1e-3) is None
    assert "more time than a call takes" in str(forged.doubt(1e-3))


def test_work_beside_the_own_stream_is_seen():
    ran = [("bias_gelu", 0.0, 1e-3), ("bias_gelu", 0.5e-3, 1.5e-3), ("bias_gelu", 3e-3, 4e-3)]
    assert busy([Interval(*one) for one in ran]) == pytest.approx(2.5e-3)
    assert profiled(*ran, device_s=1e-3).beside == pytest.approx(1.5e-3)
    assert profiled(*ran[:1], device_s=2e-3).beside == 0.0
