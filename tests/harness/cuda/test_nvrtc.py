"""NVRTC through ctypes: machine code where the library is there, one clear line where it is not."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cuda_corpus import Sample, samples

from kernelwright.harness import nvrtc
from kernelwright.harness.cuda_native import cubin_file
from kernelwright.harness.inline_cpp import BuildError

SCALE = """#include <cstdint>
extern "C" __global__ void scale(const float* x, float* y, int64_t n) {
  int64_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * 2 + INFINITY * 0;
}
"""
needs_nvrtc = pytest.mark.skipif(nvrtc.library_path() is None, reason="no NVRTC on this machine")


def test_no_library_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(nvrtc, "library_path", lambda: None)
    with pytest.raises(BuildError, match="no NVRTC: pip install") as caught:
        nvrtc.Nvrtc()
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(nvrtc, "library_path", lambda: tmp_path / "libnvrtc.so.13")
    with pytest.raises(BuildError, match="cannot be loaded"):
        nvrtc.Nvrtc()


def test_a_message_points_at_the_candidates_own_line():
    log = (
        "/x/include/cuda_fp16.h(10): error: something inside\n"
        'candidate.cu(12): error: identifier "flot" is undefined\n    flot x;\n    ^\n\n'
        '1 error detected in the compilation of "candidate.cu".\n'
    )
    assert nvrtc.said(log).splitlines() == [
        'CUDA line 12: error: identifier "flot" is undefined',
        "error: something inside",
    ]


@needs_nvrtc
def test_machine_code_is_made_without_a_driver_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path))
    first = cubin_file(SCALE, ["-O3", "--use_fast_math"], "sm_90")
    assert first.read_bytes()[:4] == b"\x7fELF"
    made = first.stat().st_mtime_ns
    assert cubin_file(SCALE, ["-O3", "--use_fast_math"], "sm_90").stat().st_mtime_ns == made


@needs_nvrtc
def test_what_it_refuses_is_told():
    with pytest.raises(BuildError, match='CUDA line 4: error: identifier "flot"'):
        nvrtc.nvrtc().cubin(SCALE.replace("if (i", "flot z;\n  if (i"), "sm_90")
    with pytest.raises(BuildError, match=r"sm_1|architecture"):
        nvrtc.nvrtc().cubin(SCALE, "sm_1")


@needs_nvrtc
@pytest.mark.slow
@pytest.mark.parametrize("sample", samples("correct"), ids=lambda s: s.name)
def test_the_corpus_is_cuda_for_nvrtc_too(sample: Sample):
    code, _ = nvrtc.nvrtc().cubin(sample.source, "sm_90")
    assert code[:4] == b"\x7fELF"
