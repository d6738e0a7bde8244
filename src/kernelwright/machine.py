"""What this machine offers, one `Check` a thing: examined, never assumed.

Covers what `doctor` reports and what a card records of its environment. Does not cover what the
machine is measured to do (`harness/device.py`).
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kernelwright import __version__
from kernelwright.text import first_line

_PROBE = r"""
#include <cmath>
#include <omp.h>
extern "C" int threads() {
    int n = 0;
    #pragma omp parallel num_threads(2)
    {
        #pragma omp atomic
        n += 1;
    }
    return n;
}
"""
_VECTOR_FLAGS = (
    "sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile",
    "asimd", "asimdhp", "bf16", "sve",
)  # fmt: skip
_NEEDED = ("numpy", "langgraph", "langgraph-checkpoint-sqlite", "optuna", "rich")
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "KERNELWRIGHT_API_KEY")
"""Environment variables in which the models look for a key. Their values are never shown."""


@dataclass(frozen=True)
class Check:
    """One thing about the machine.

    `missing` stops the main job, `weak` does not but matters, `absent` is a thing that nothing
    needs. `advice` says what to do about it.
    """

    name: str
    status: Literal["ok", "weak", "absent", "missing"]
    value: str
    advice: str | None = None


def examine() -> list[Check]:
    """Every check, in the order in which a reader wants them. Takes seconds: it loads torch."""
    torch = _torch()
    # The compiler's flags and the cache's place are known to code that needs torch.
    beside_torch = [] if torch.status == "missing" else [_compiler(), _inductor(), _cache()]
    return [
        _python(),
        torch,
        _packages(),
        *beside_torch,
        _processor(),
        _memory(),
        _sandbox(),
        _valgrind(),
        *([] if torch.status == "missing" else _for_gpus()),
        _keys(),
    ]


def environment() -> dict[str, str | None]:
    """What a measured figure depends on, for a card: versions and the machine's name for itself."""
    import torch

    from kernelwright.harness import inline_cpp

    try:
        compiler: str | None = inline_cpp.compiler_version(inline_cpp.compiler())
    except inline_cpp.BuildError:
        compiler = None
    return {
        "kernelwright": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "compiler": compiler,
        "processor": processor_name(),
        "system": platform.platform(),
    }


def processor_name() -> str:
    """The processor's own name; its architecture where it has none."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} ({sys.executable})")


def _torch() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check(
            "torch", "missing", f"does not import: {first_line(str(error))}", "pip install torch"
        )
    return Check("torch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")


def _packages() -> Check:
    lacking = [name for name in _NEEDED if _package(name) is None]
    if lacking:
        names = " ".join(lacking)
        return Check("packages", "missing", f"without {names}", f"pip install {names}")
    return Check("packages", "ok", ", ".join(str(_package(name)) for name in _NEEDED))


def _compiler() -> Check:
    from kernelwright.harness import inline_cpp

    try:
        cxx = inline_cpp.compiler()
        version = inline_cpp.compiler_version(cxx)
    except (inline_cpp.BuildError, OSError, subprocess.CalledProcessError) as error:
        return Check("compiler", "missing", first_line(str(error)), "Debian: apt-get install g++")
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "probe.cpp"), Path(folder, "probe.so")
        source.write_text(_PROBE)
        command = inline_cpp.command(cxx, source, library, [], Path(folder))
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            said = next((x for x in done.stderr.splitlines() if "error" in x), done.stderr)
            return Check(
                "compiler",
                "missing",
                f"{version} ({cxx}) cannot build: {first_line(str(said))}",
                "it needs C++17, its standard library and OpenMP (Debian: apt-get install g++)",
            )
        threads = ctypes.CDLL(str(library)).threads()
    if threads != 2 and _cores() > 1:
        return Check("compiler", "weak", f"{version} ({cxx}), but OpenMP gave {threads} thread")
    return Check("compiler", "ok", f"{version} ({cxx}), OpenMP works")


def _inductor() -> Check:
    """What torch.compile needs beside a compiler; without it that baseline stays unknown."""
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        return Check(
            "inductor",
            "weak",
            f"{header} is not there: no torch.compile baseline",
            "Debian: apt-get install python3-dev",
        )
    if " " in sys.prefix:
        return Check(
            "inductor",
            "weak",
            f"a space in {sys.prefix}: no torch.compile baseline",
            "torch.compile cannot link from such a path: move the installation",
        )
    return Check("inductor", "ok", "torch.compile finds what it needs")


def _processor() -> Check:
    flags = (_cpuinfo("flags") or _cpuinfo("Features") or "").split()
    vectors = [flag for flag in _VECTOR_FLAGS if flag in flags]
    text = f"{processor_name()}, {_cores()} cores, {' '.join(vectors) or 'no known vector unit'}"
    quota = _cpu_quota()
    if quota is not None and quota < _cores():
        return Check(
            "processor",
            "weak",
            f"{text}, held to {quota:.1f} cores by a control group",
            "timings will scatter: give it whole cores",
        )
    return Check("processor", "ok", text)


def _memory() -> Check:
    fields = re.findall(r"^(\w+):\s+(\d+) kB", _read("/proc/meminfo"), re.M)
    kib = {name: int(value) for name, value in fields}
    if "MemTotal" not in kib:
        return Check("memory", "weak", "unknown: /proc/meminfo is not there")
    free = kib.get("MemAvailable", kib["MemTotal"]) / 2**20
    text = f"{kib['MemTotal'] / 2**20:.1f} GiB, {free:.1f} GiB free"
    if free < 2:
        return Check("memory", "weak", text, "large tasks need more: close something")
    return Check("memory", "ok", text)


def _sandbox() -> Check:
    from kernelwright.harness import sandbox

    level = sandbox.level()
    if level.warning():
        advice = "do not run candidates of strangers here: use a newer kernel"
        return Check("sandbox", "weak", str(level), advice)
    return Check("sandbox", "ok", str(level))


def _cache() -> Check:
    from kernelwright.harness.builds import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check(
            "cache",
            "missing",
            f"{folder} cannot be written: {error.strerror}",
            "set KERNELWRIGHT_CACHE to a folder that can",
        )
    return Check("cache", "ok", str(folder))


def _valgrind() -> Check:
    path = shutil.which("valgrind")
    said = "not installed: verify --counters counts no instructions of C++"
    advice = None if path else "Debian: apt-get install valgrind"
    return Check("valgrind", "ok" if path else "absent", path or said, advice)


def _for_gpus() -> list[Check]:
    from kernelwright import machine_gpu

    return [machine_gpu.hardware_events(), *machine_gpu.examine()]


def _package(name: str) -> str | None:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return None


def _keys(env: Mapping[str, str] = os.environ) -> Check:
    names = [name for name in KEYS if env.get(name)]
    if names:
        return Check("models", "ok", f"builtin, and a key in {', '.join(names)}")
    return Check("models", "ok", f"builtin; no key in {' or '.join(KEYS)}")


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _cpu_quota() -> float | None:
    """Cores that the control group allows, None where it sets no limit."""
    fields = _read("/sys/fs/cgroup/cpu.max").split()
    if len(fields) != 2 or fields[0] == "max":
        return None
    return int(fields[0]) / int(fields[1])


def _cpuinfo(field: str) -> str | None:
    found = re.search(rf"^{field}\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.M)
    return found.group(1).strip() if found else None


def _read(path: str) -> str:
    """The text of a file of the kernel's; empty where the kernel does not offer it."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""
