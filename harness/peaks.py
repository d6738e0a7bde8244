"""What this processor was measured to do: copy bandwidth by working set, multiply-add rate.

Measured once a machine and thread count, kept in the cache folder. Both are rates of simple loops that
the compiler vectorises, the best of several runs: floors for time, not targets.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from kernelwright.harness import inline_cpp
from kernelwright.harness.builds import cache_folder
from kernelwright.harness.device import DeviceFacts

_WORKING_SETS = tuple(1 << n for n in (17, 19, 21, 23, 25, 27))
_SOURCE = r"""
#include <cstdint>
typedef float vf __attribute__((vector_size(64)));
extern "C" void copy(const float* x, float* y, int64_t n) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; i++) y[i] = x[i] + 1.0f;
}
extern "C" double multiply_add(int64_t n) {
  double total = 0;
#pragma omp parallel reduction(+ : total)
  {
    vf a[12], m, c;
    for (int l = 0; l < 16; l++) { m[l] = 0.999f; c[l] = 0.001f; }
    for (int i = 0; i < 12; i++) a[i] = c * (float)(i + 1);
    for (int64_t k = 0; k < n; k++)
      for (int i = 0; i < 12; i++) a[i] = a[i] * m + c;
    for (int i = 0; i < 12; i++)
      for (int l = 0; l < 16; l++) total += a[i][l];
  }
  return total;
}
"""
_OPERATIONS_A_STEP = 12 * 16 * 2
_EXTENSIONS = (
    "sse4_2", "avx", "avx2", "fma", "f16c", "bmi2", "avx_vnni", "avx512f", "avx512cd", "avx512bw", "avx512dq",
    "avx512vl", "avx512vbmi", "avx512_vbmi2", "avx512_vnni", "avx512_bitalg", "avx512_vpopcntdq",
    "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "amx_fp16",
    "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "svebf16", "svei8mm",
)  # fmt: skip
"""What a writer of kernels may want to know of, by the names in /proc/cpuinfo."""

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def device_facts(threads: int, *, again: bool = False) -> DeviceFacts:
    """The processor with its measured peaks, from the cache where they are known.

    `again`: measure once more and keep what is better of both: a busy moment makes peaks too low, and
    honest kernels impossibly fast.
    """
    info = _cpuinfo()
    name = _field(info, "model name") or platform.processor() or platform.machine()
    flags = (_field(info, "flags") or _field(info, "Features") or "").split()
    isa = tuple(f for f in _EXTENSIONS if f in flags)
    key = hashlib.sha256(f"{name} {flags} {threads} {_SOURCE}".encode()).hexdigest()[:16]
    path = cache_folder() / f"peaks-{key}.json"
    kept = _kept(path)
    bandwidth, peak = kept or ({}, 0.0)
    if again or kept is None:
        measured, measured_peak = _measure(threads)
        bandwidth = {size: max(rate, bandwidth.get(size, 0.0)) for size, rate in measured.items()}
        peak = max(peak, measured_peak)
        _keep(path, name, threads, bandwidth, peak)
    l1, l2, l3 = (_caches().get(level) for level in (1, 2, 3))
    return DeviceFacts("cpu", name, threads, isa, l2, l3, bandwidth, peak, l1)


def _kept(path: Path) -> tuple[dict[int, float], float] | None:
    try:
        data = json.loads(path.read_text())
        return {int(k): float(v) for k, v in data["bandwidth_gbs"].items()}, float(
            data["peak_gflops"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _keep(path: Path, name: str, threads: int, bandwidth: dict[int, float], peak: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = {
        "cpu": name,
        "threads": threads,
        "date": time.strftime("%Y-%m-%d"),
        "bandwidth_gbs": bandwidth,
        "peak_gflops": peak,
    }
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as part:
        part.write(json.dumps(text, indent=1))
    Path(part.name).replace(path)


def bandwidth_at(facts: DeviceFacts, working_set: int) -> float | None:
    """GB/s for a working set of so many bytes: the measured size next above, else the largest."""
    sizes = sorted(facts.bandwidth_gbs)
    if not sizes:
        return None
    return facts.bandwidth_gbs[next((s for s in sizes if s >= working_set), sizes[-1])]


def _measure(threads: int) -> tuple[dict[int, float], float]:
    library = inline_cpp.cpp(_SOURCE)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        bandwidth = {}
        for size in _WORKING_SETS:
            x, y = torch.zeros(size // 8), torch.zeros(size // 8)
            repeat = max(1, (1 << 25) // size)

            def copies(x: torch.Tensor = x, y: torch.Tensor = y, repeat: int = repeat) -> None:
                for _ in range(repeat):
                    library.copy(x, y, x.numel())

            bandwidth[size] = 8 * x.numel() * repeat / _best(copies) * 1e-9
        steps = 1_000_000
        seconds = _best(lambda: library.multiply_add(steps))
        return bandwidth, threads * steps * _OPERATIONS_A_STEP / seconds * 1e-9
    finally:
        torch.set_num_threads(before)


def _best(run: Callable[[], object]) -> float:
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def _field(info: str, name: str) -> str | None:
    found = re.search(rf"^{name}\s*:\s*(.*)$", info, re.M)
    return found.group(1).strip() if found else None


def _caches() -> dict[int, int]:
    """Sizes in bytes of the data caches that core 0 sees, by level."""
    found: dict[int, int] = {}
    for folder in _CACHES.glob("index*"):
        try:
            kind, level, size = ((folder / name).read_text() for name in ("type", "level", "size"))
            number, unit = int(size.strip()[:-1]), size.strip()[-1:]
        except (OSError, ValueError):
            continue
        if kind.strip() != "Instruction" and unit in _UNITS:
            found[int(level)] = number * _UNITS[unit]
    return found
