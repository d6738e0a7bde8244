"""Counters of the kernels that `ahead.py` has compiled, from the files that it left.

The files come out of a process with a candidate in it, so nothing in them is believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kernelwright.harness.counters import compiled
from kernelwright.harness.counters.compiled import Launch
from kernelwright.harness.counters.counters import Counter, Counters, KernelCounters
from kernelwright.harness.fault import plain
from kernelwright.harness.triton.ahead import LAUNCHES, TARGETS

_LARGEST = 16 << 20
_AMD = {
    "registers_per_thread": (r"\.vgpr_count:\s*(\d+)", "registers"),
    "scalar_registers": (r"\.sgpr_count:\s*(\d+)", "registers"),
    "registers_spilled": (r"\.vgpr_spill_count:\s*(\d+)", "registers"),
    "shared_memory_static": (r"\.group_segment_fixed_size:\s*(\d+)", "bytes"),
    "stack_per_thread": (r"\.private_segment_fixed_size:\s*(\d+)", "bytes"),
    "occupancy_waves": (r";\s*Occupancy:\s*(\d+)", "waves"),
}
"""Counters of an AMD kernel: where its assembler text says them, and their units."""
_MATRIX = re.compile(r"^\s*v_mfma_", re.M)


def read(folder: Path) -> Counters:
    """Counters by kernel and target; what did not compile, with the compiler's words, under `missing`."""
    try:
        launches = json.loads(_text(folder / LAUNCHES))
    except (OSError, ValueError) as error:
        return Counters((), {"compiled counters": f"no launch was compiled: {error}"})
    kernels: list[KernelCounters] = []
    missing: dict[str, str] = {}
    for told in launches if isinstance(launches, list) else []:
        try:
            kernel, target = plain(str(told["kernel"]))[:100], str(told["target"])
            if target not in TARGETS:
                continue
            if "error" in told:
                missing[f"{kernel} on {target}"] = plain(str(told["error"]))[:1000]
                continue
            kernels += _kernel(folder, kernel, target, told)
        except (OSError, ValueError, KeyError, TypeError) as error:
            missing["compiled counters"] = f"what was compiled cannot be read: {error}"
    if not kernels and not missing:
        missing["compiled counters"] = "the candidate launched no Triton kernel"
    return Counters(tuple(kernels), missing)


def _kernel(
    folder: Path, kernel: str, target: str, told: Mapping[str, Any]
) -> tuple[KernelCounters, ...]:
    base = folder / f"kernel-{int(str(told['file']).removeprefix('kernel-'))}"
    _, _, warp = TARGETS[target]
    grid = tuple(int(n) for n in told["grid"])
    launch = Launch(int(told["warps"]) * warp, int(told["shared"]), int(told["launches"]), grid)
    if target.startswith("gfx"):
        text = _text(base.with_suffix(".amdgcn"))
        return (KernelCounters(kernel, target, _amd(text), launch.launches, grid),)
    log = base.with_suffix(".log")
    said = _text(log) if log.is_file() else None
    launches = {str(told["name"]): launch}
    return compiled.compiled(_bytes(base.with_suffix(".cubin")), launches, said)


def _amd(text: str) -> dict[str, Counter]:
    """Figures that the AMD backend writes beside its code."""
    found = {}
    for name, (pattern, unit) in _AMD.items():
        match = re.search(pattern, text)
        value = int(match.group(1)) if match else None
        reason = "" if match else "the assembler text does not say"
        found[name] = Counter(value, unit, "amdgcn", reason)
    matrix = len(_MATRIX.findall(text))
    return {**found, "tensor_core_instructions": Counter(matrix, "instructions", "amdgcn")}


def _bytes(path: Path) -> bytes:
    if path.is_symlink() or path.stat().st_size > _LARGEST:
        raise ValueError(f"{path.name} is no file of bearable size")
    return path.read_bytes()


def _text(path: Path) -> str:
    return _bytes(path).decode(errors="replace")
