"""CUDA kernels counted without a GPU: what is read back from files that a candidate's process left."""

import json
from pathlib import Path

import pytest

from kernelwright.harness import inline_cuda, nvrtc
from kernelwright.harness.counters import cuda_ahead, tools
from kernelwright.harness.cuda_emulation.library import Configuration

SOURCE = """
extern "C" __global__ void reversed(const float* x, float* y) {
  __shared__ float s[256];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = s[255 - threadIdx.x];
}
extern "C" __global__ void unused(float* y) { y[threadIdx.x] = 1.0f; }
"""


class Compiler:
    """Stands for NVRTC: refuses one target, and gives no cubin for the others."""

    def cubin(self, source: str, arch: str, flags: list[str]) -> tuple[bytes, str]:
        if arch == "sm_80":
            raise inline_cuda.BuildError("CUDA line 2: error: no such thing")
        return b"\x7fELF nothing", "ptxas info"


def test_launches_are_grouped_and_what_does_not_compile_is_said(tmp_path: Path):
    recorder = cuda_ahead._Recorder(tmp_path, Compiler())
    how = Configuration((4, 1, 1), (256, 1, 1))
    for _ in range(3):
        recorder.note((SOURCE, ()), "reversed", how)
    recorder.compile()
    told = json.loads((tmp_path / cuda_ahead.LAUNCHES).read_text())
    assert told["launches"] == [
        {"source": 0, "kernel": "reversed", "threads": 256, "shared": 0, "grid": [4, 1, 1], "launches": 3}
    ]  # fmt: skip
    found = cuda_ahead.read(tmp_path)
    assert found.kernels == ()
    assert found.missing["reversed on sm_80"] == "CUDA line 2: error: no such thing"
    assert "cannot be read" in found.missing["reversed on sm_90"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"launches": [{}], "errors": {}}', '{"launches": 3, "errors": {}}', '{"launches": []}'],
)  # fmt: skip
def test_nothing_that_the_process_wrote_is_believed(tmp_path: Path, text: str):
    (tmp_path / cuda_ahead.LAUNCHES).write_text(text)
    found = cuda_ahead.read(tmp_path)
    assert found.kernels == ()
    assert "no launch was compiled" in found.missing["compiled counters"]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path):
    (tmp_path / cuda_ahead.LAUNCHES).symlink_to("/etc/passwd")
    assert "no file of bearable size" in cuda_ahead.read(tmp_path).missing["compiled counters"]


def test_without_nvrtc_the_reason_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    nvrtc.nvrtc.cache_clear()
    monkeypatch.setattr(nvrtc, "_folders", lambda: iter(()))
    assert "pip install" in (cuda_ahead.unavailable() or "")
    nvrtc.nvrtc.cache_clear()


@pytest.mark.skipif(nvrtc.library_path() is None, reason="no NVRTC here")
def test_a_kernel_is_counted_as_it_is_launched(tmp_path: Path):
    recorder = cuda_ahead._Recorder(tmp_path, nvrtc.nvrtc())
    recorder.note((SOURCE, ()), "reversed", Configuration((4, 1, 1), (256, 1, 1)))
    recorder.note((SOURCE, ()), "reversed", Configuration((2, 1, 1), (128, 1, 1), 1 << 15))
    recorder.compile()
    found = cuda_ahead.read(tmp_path)
    assert not found.missing
    assert [(k.kernel, k.device, k.grid) for k in found.kernels[:2]] == [
        ("reversed", "sm_80", (4, 1, 1)),
        ("reversed", "sm_80", (2, 1, 1)),
    ]
    assert {k.device for k in found.kernels} == set(cuda_ahead.TARGETS)
    first = found.kernels[0].values
    assert first["barriers_used"].value == 1
    assert first["shared_memory_static"].value == 1024
    assert first["spill_stores"].value == 0
    assert first["occupancy"].value == 1.0
    if tools.find("nvdisasm"):
        assert first["barriers"].value == 1
