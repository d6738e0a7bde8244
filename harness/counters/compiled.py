"""Compiled counters: what a cubin tells of its kernels without a GPU, and what follows from it."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from kernelwright.harness.counters import cubin, sass, tools
from kernelwright.harness.counters.counters import Counter, KernelCounters, Value, missing
from kernelwright.harness.counters.cubin import KernelFacts
from kernelwright.harness.counters.occupancy import occupancy
from kernelwright.harness.counters.sm_limits import LIMITS

_TOOL_SECONDS = 60
_RESERVED_IS_STATIC = 90
"""From this compute capability on, compilers count what the system reserves as static shared memory."""
_ELF, _NVDISASM, _PTXAS = "cubin", "nvdisasm", "ptxas"
_MIX = {"instructions": "instructions", **dict.fromkeys(sass.CATEGORIES, "instructions")}
_SPILLS = {"spill_stores": "bytes", "spill_loads": "bytes"}
_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_SPILLED = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


@dataclass(frozen=True)
class Launch:
    """How a kernel is launched: threads of a block, and bytes of its dynamic shared memory."""

    threads: int
    dynamic_shared: int = 0
    launches: int | None = None
    grid: tuple[int, ...] | None = None


def compiled(
    data: bytes, launches: Mapping[str, Launch] | None = None, log: str | None = None
) -> tuple[KernelCounters, ...]:
    """Counters of each kernel in a cubin.

    `launches`: how each is launched, by its name; without it there is no occupancy. `log`: what ptxas or
    NVRTC said under `-v`, where the spills stand. Raises ValueError for what is no cubin.
    """
    read = cubin.read(data)
    mixes, reason = disassembled(data)
    spilled = spills(log or "")
    device = f"sm_{read.capability}"
    found = []
    for facts in read.kernels:
        launch = (launches or {}).get(facts.name)
        values = {
            **_resources(facts),
            **_spill_counters(spilled.get(facts.name), log is not None),
            **_occupancy(read.capability, facts, launch),
            **_mix_counters(mixes.get(facts.name), reason),
        }
        how = (launch.launches, launch.grid) if launch else (None, None)
        found.append(KernelCounters(facts.name, device, values, *how))
    return tuple(found)


def disassembled(data: bytes) -> tuple[dict[str, dict[str, int]], str]:
    """The instruction mix by kernel; where it is empty, why."""
    tool = tools.find("nvdisasm")
    if tool is None:
        return {}, tools.absent("nvdisasm")
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(data)
        file.flush()
        argv = [tool, "-c", file.name]
        try:
            done = subprocess.run(argv, capture_output=True, timeout=_TOOL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return {}, f"nvdisasm took more than {_TOOL_SECONDS} s"
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return {}, f"nvdisasm failed: {said[0][:200] if said else 'no message'}"
    return sass.mixes(done.stdout.decode(errors="replace")), ""


def spills(log: str) -> dict[str, tuple[int, int]]:
    """Bytes of spill stores and loads by kernel, from what ptxas says under `-v`."""
    found: dict[str, tuple[int, int]] = {}
    name = None
    for line in log.splitlines():
        if entry := _ENTRY.search(line):
            name = entry.group(1)
        elif name and (spilled := _SPILLED.search(line)):
            found[name] = (int(spilled.group(1)), int(spilled.group(2)))
            name = None
    return found


def _resources(facts: KernelFacts) -> dict[str, Counter]:
    return {
        "registers_per_thread": Counter(facts.registers, "registers", _ELF),
        "shared_memory_static": Counter(facts.shared, "bytes", _ELF),
        "stack_per_thread": Counter(facts.stack, "bytes", _ELF),
        "local_memory": Counter(facts.local, "bytes", _ELF),
        "constant_bank_0": Counter(facts.constant, "bytes", _ELF),
        "barriers_used": Counter(facts.barriers, "barriers", _ELF),
        "code_size": Counter(facts.instructions, "instruction slots", _ELF),
    }


def _spill_counters(spilled: tuple[int, int] | None, logged: bool) -> dict[str, Counter]:
    if spilled is None:
        reason = "the compiler said nothing of it" if logged else "no log of ptxas -v was given"
        return missing(_SPILLS, _PTXAS, reason)
    return {
        name: Counter(value, "bytes", _PTXAS) for name, value in zip(_SPILLS, spilled, strict=True)
    }


def _occupancy(capability: int, facts: KernelFacts, launch: Launch | None) -> dict[str, Counter]:
    names = {
        "occupancy": "share",
        "occupancy_limited_by": "text",
        "blocks_per_sm": "blocks",
        "threads_per_block": "threads",
        "shared_memory_dynamic": "bytes",
    }
    limits = LIMITS.get(capability)
    if limits is None:
        return missing(names, "table of SM limits", f"no limits known of sm_{capability}")
    if launch is None:
        return missing(names, "table of SM limits", "how it is launched is not known")
    static = facts.shared
    if capability >= _RESERVED_IS_STATIC:
        static = max(0, static - limits.shared_reserved)
    shared = static + launch.dynamic_shared
    fits = occupancy(limits, registers=facts.registers, shared=shared, threads=launch.threads)
    values: tuple[Value, ...] = (
        fits.share,
        fits.limited_by,
        fits.blocks,
        launch.threads,
        launch.dynamic_shared,
    )
    sources = [*["table of SM limits"] * 3, *["launch"] * 2]
    return {
        name: Counter(value, unit, source)
        for (name, unit), value, source in zip(names.items(), values, sources, strict=True)
    }


def _mix_counters(mix: Mapping[str, int] | None, reason: str) -> dict[str, Counter]:
    if mix is None:
        return missing(_MIX, _NVDISASM, reason or "nvdisasm shows no code of it")
    return {name: Counter(mix[name], unit, _NVDISASM) for name, unit in _MIX.items()}
