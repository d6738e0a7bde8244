"""What this machine offers for kernels of GPUs: driver, compilers, launchers, and what measures there.

Nothing of it is needed by the main job. Where a GPU is, what is missing is `weak` and says what to do; where
none is, only what helps without one is advised.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from pathlib import Path
from typing import Literal

from kernelwright.machine import Check

_PARAMETERS, _VERSION = Path("/proc/driver/nvidia/params"), Path("/proc/driver/nvidia/version")
_EXTRA = "pip install 'kernelwright[gpu]'"
_PATH = "it comes with the CUDA toolkit: put it on the PATH, or set CUDA_HOME"
Lacking = Literal["absent", "weak"]


def examine() -> list[Check]:
    """Every check, the driver first. Needs torch."""
    driver = _driver()
    lacking: Lacking = "absent" if driver is None else "weak"
    return [
        _gpu(driver),
        _nvrtc(lacking),
        _cupy(lacking),
        _nvml(lacking),
        _ncu(lacking),
        _sanitizer(lacking),
    ]


def hardware_events() -> Check:
    """Whether events of the processor can be counted."""
    from kernelwright.harness.counters import hardware

    reason = hardware.unavailable()
    if reason:
        return Check("events", "absent", f"no cycles or cache misses: {reason}")
    return Check("events", "ok", "hardware events of the processor, for verify --counters")


def _driver() -> str | None:
    try:
        text = _VERSION.read_text()
    except OSError:
        return None
    found = re.search(r"Kernel Module\s+(?:for \S+\s+)?([\d.]+)", text)
    return found.group(1) if found else "of an unknown version"


def _gpu(driver: str | None) -> Check:
    import torch

    triton = _version("triton") or "no triton (pip install triton)"
    if driver is None:
        return Check("gpu", "absent", f"no NVIDIA driver: GPU kernels are emulated; {triton}")
    built = torch.version.cuda
    if built is None:
        advice = "install torch's CUDA build: https://pytorch.org/get-started"
        return Check("gpu", "weak", f"NVIDIA driver {driver}, torch without CUDA; {triton}", advice)
    if not torch.cuda.is_available():
        advice = (
            f"torch is built for CUDA {built}: a driver that is too old, or CUDA_VISIBLE_DEVICES"
        )
        return Check("gpu", "weak", f"NVIDIA driver {driver}, torch sees no GPU; {triton}", advice)
    count = torch.cuda.device_count()
    return Check("gpu", "ok", f"NVIDIA driver {driver}, {count} GPUs, CUDA {built}; {triton}")


def _nvrtc(lacking: Lacking) -> Check:
    from kernelwright.harness import nvrtc
    from kernelwright.harness.inline_cpp import BuildError

    try:
        compiler = nvrtc.nvrtc()
        major, minor = compiler.version
    except BuildError as error:
        advice = "CUDA kernels are counted without a GPU too: pip install nvidia-cuda-nvrtc"
        return Check("nvrtc", lacking, str(error).partition(":")[0], advice)
    if not nvrtc.include_folders(compiler.path):
        advice = "kernels that include cuda_fp16.h need: pip install nvidia-cuda-runtime"
        return Check("nvrtc", "ok", f"{major}.{minor} ({compiler.path}), no headers", advice)
    return Check("nvrtc", "ok", f"{major}.{minor} ({compiler.path})")


def _cupy(lacking: Lacking) -> Check:
    found = next((v for n in ("cupy-cuda13x", "cupy-cuda12x", "cupy") if (v := _version(n))), None)
    if found is None:
        return _without("cupy", lacking, "none: it launches CUDA kernels on a GPU", _EXTRA)
    return Check("cupy", "ok", found)


def _nvml(lacking: Lacking) -> Check:
    from kernelwright.harness.gpu import nvml

    told = nvml.identity()
    reason = told.absent.get("driver")
    if reason is None:
        return Check(
            "nvml", "ok", f"driver {told.driver}, clocks {dict(told.clocks_mhz) or 'unknown'}"
        )
    said = f"no clocks, power, throttling or energy: {reason.partition(': pip')[0]}"
    return _without("nvml", lacking, said, _EXTRA if reason == nvml.NO_PACKAGE else None)


def _ncu(lacking: Lacking) -> Check:
    from kernelwright.harness.gpu import nsight

    path = nsight.tool()
    if path is None:
        return _without("ncu", lacking, "no Nsight Compute: only times of kernels", _PATH)
    if _only_root() and os.geteuid() != 0:
        return _without("ncu", lacking, f"{path}, counters forbidden", nsight.NO_PERMISSION)
    return Check("ncu", "ok", path)


def _sanitizer(lacking: Lacking) -> Check:
    from kernelwright.harness.gpu import compute_sanitizer

    path = compute_sanitizer.tool()
    if path is None:
        said = "no compute-sanitizer: champions on a GPU are not sanitized"
        return _without("sanitizer", lacking, said, _PATH)
    return Check("sanitizer", "ok", path)


def _without(name: str, lacking: Lacking, value: str, advice: str | None) -> Check:
    """What is of no use without a GPU is advised only where one is."""
    return Check(name, lacking, value, advice if lacking == "weak" else None)


def _only_root() -> bool:
    """Whether the driver gives counters to root alone."""
    try:
        return "RmProfilingAdminOnly: 1" in _PARAMETERS.read_text()
    except OSError:
        return False


def _version(package: str) -> str | None:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return None
