"""`doctor` on GPUs: each thing is there, or what is missing and what to do about it."""

from pathlib import Path

import pytest
import torch

from kernelwright import machine_gpu
from kernelwright.harness.gpu import compute_sanitizer, nsight, nvml
from kernelwright.machine import Check

NAMES = ["gpu", "nvrtc", "cupy", "nvml", "ncu", "sanitizer"]


def by_name() -> dict[str, Check]:
    return {check.name: check for check in machine_gpu.examine()}


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n"
    )
    monkeypatch.setattr(machine_gpu, "_VERSION", tmp_path / "version")
    monkeypatch.setattr(machine_gpu, "_PARAMETERS", tmp_path / "params")
    monkeypatch.setattr(nsight, "tool", lambda: None)
    monkeypatch.setattr(compute_sanitizer, "tool", lambda: None)
    monkeypatch.setattr(nvml, "identity", lambda: nvml.Identity(absent={"driver": nvml.NO_PACKAGE}))
    monkeypatch.setattr(machine_gpu, "_version", lambda package: None)
    return tmp_path


def test_without_a_gpu_nothing_is_weak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine_gpu, "_VERSION", tmp_path / "none")
    found = by_name()
    assert list(found) == NAMES
    assert {check.status for check in found.values()} <= {"ok", "absent"}
    assert "emulated" in found["gpu"].value
    assert found["sanitizer"].advice is None


@pytest.mark.usefixtures("driver")
def test_with_a_driver_each_missing_thing_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    found = by_name()
    assert "580.65.06, torch sees no GPU" in found["gpu"].value
    assert found["cupy"].advice == "pip install 'kernelwright[gpu]'"
    assert {found[name].status for name in ("gpu", "cupy", "nvml", "ncu", "sanitizer")} == {"weak"}
    assert all(found[name].advice for name in ("gpu", "cupy", "nvml", "ncu", "sanitizer"))
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "torch without CUDA" in by_name()["gpu"].value


def test_ncu_that_only_root_may_use(driver: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nsight, "tool", lambda: "/usr/local/cuda/bin/ncu")
    monkeypatch.setattr(machine_gpu.os, "geteuid", lambda: 1000)
    assert by_name()["ncu"].status == "ok"
    (driver / "params").write_text("EnableMSI: 1\nRmProfilingAdminOnly: 1\n")
    assert "NVreg_RestrictProfilingToAdminUsers" in str(by_name()["ncu"].advice)
    monkeypatch.setattr(machine_gpu.os, "geteuid", lambda: 0)
    assert by_name()["ncu"].status == "ok"
