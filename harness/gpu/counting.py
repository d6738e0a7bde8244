"""Counts and inspects one candidate on a GPU: Nsight Compute, its machine code, compute-sanitizer, NVML.

Each tool gets a folder of its own in a cage. What cannot be had is missing with its reason; only a finding of
compute-sanitizer in the candidate's own kernels rejects.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path

from kernelwright.harness import wire
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counters import compiled
from kernelwright.harness.counters.counters import Counters, KernelCounters
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.forms import Form
from kernelwright.harness.gpu import compute_sanitizer, energy, nsight, nvml
from kernelwright.harness.gpu.device import Needs
from kernelwright.harness.gpu.tool_room import UNCAGED, Subject, ToolRoom, caged, furnish, plain
from kernelwright.harness.gpu.track import GpuProfile
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.verdict import Finding

_LARGEST, _MOST_FILES = 16 << 20, 64
_BARE = re.compile(r"^(?:void )?(?:[\w:]*::)?(\w+)")
_NO_CODE = "no machine code was left that can be read: neither NVRTC nor Triton built any"


def collect(
    candidate: Candidate,
    form: Form,
    nursery: Nursery,
    needs: Needs,
    *,
    capability: str,
    which: str | int = 0,
) -> Counters:
    """All that can be counted of one call with the task's own inputs. Raises nothing.

    `capability`: `sm_90`; `which`: the device's number or UUID, as NVML knows it.
    """
    own = GpuProfile.source(candidate.source).is_own
    ncu = nsight.tool()
    try:
        room = furnished(subject(candidate.source, form), nursery, needs, ncu or "/usr/bin/env")
        found = nsight.collect(room, capability, own, ncu)
    except (HarnessError, OSError, RuntimeError) as error:
        return Counters((), {"counters": f"the candidate could not be laid out: {error}"})
    return with_device(with_code(found, room.folder), room, capability, which)


def sanitized(
    candidate: Candidate, form: Form, nursery: Nursery, needs: Needs
) -> tuple[Finding, ...]:
    """Notes and warnings of compute-sanitizer. Raises Fault for what it finds in the candidate's kernels."""
    tool = compute_sanitizer.tool()
    if tool is None:
        return (Finding("not_sanitized", compute_sanitizer.ABSENT, "note"),)
    try:
        room = furnished(subject(candidate.source, form), nursery, needs, tool)
    except (HarnessError, OSError, RuntimeError) as error:
        return (Finding("not_sanitized", f"it could not be laid out: {error}"[:300], "note"),)
    own = GpuProfile.source(candidate.source).is_own
    found = compute_sanitizer.inspect(room, own, tool)
    wrong = next((f for f in found if f.severity == "error"), None)
    if wrong:
        raise Fault(wrong.code, wrong.message, wrong.detail)
    return found


def subject(source: str, form: Form) -> Subject:
    """The candidate with the task's own inputs."""
    arguments, named = (wire.decode_value(value) for value in form.init)
    oracle = form.oracle
    return Subject(source, (arguments, named), oracle.state, oracle.own, oracle.train)


def furnished(what: Subject, nursery: Nursery, needs: Needs, tool: str) -> ToolRoom:
    """A caged room with everything in it. Raises OSError or RuntimeError."""
    if os.environ.get(UNCAGED) == "1":
        folder = nursery.scratch(caged=False)[0] / "tmp"
        run = plain(folder)
    else:
        folder, run = caged(nursery, needs, tool)
    furnish(folder, what)
    return ToolRoom(folder, run)


def with_code(found: Counters, folder: Path) -> Counters:
    """With what the machine code says that was built on the way: registers, stack, instruction mix."""
    code: dict[str, KernelCounters] = {}
    for data in _cubins(folder):
        try:
            code |= {k.kernel: k for k in compiled.compiled(data)}
        except ValueError:
            continue  # whatever the candidate's process has left there
    if not code:
        return found.joined(Counters((), {"compiled counters": _NO_CODE}))
    kernels = []
    for kernel in found.kernels:
        own = code.pop(_bare(kernel.kernel), None)
        if own is not None:
            known = {n: c for n, c in own.values.items() if c.value is not None}
            kernel = dataclasses.replace(kernel, values={**kernel.values, **known})
        kernels.append(kernel)
    return Counters((*kernels, *(code.values() if not found.kernels else ())), found.missing)


def with_device(found: Counters, room: ToolRoom, capability: str, which: str | int) -> Counters:
    """With what NVML says of the device right after, and of the energy of a call."""
    try:
        device = nvml.Nvml(which)
    except LookupError as error:
        return found.joined(Counters((), {"clocks, power, temperature": str(error)}))
    try:
        joules = energy.of_one_call(room, device)
        told = nvml.counters(device.look(), capability)
    finally:
        device.close()
    values = {"energy_per_call": joules, **told.values}
    entry = dataclasses.replace(told, values=values)
    return found.joined(Counters((entry,)))


def _cubins(folder: Path) -> Iterator[bytes]:
    """The caches of NVRTC and Triton, as the candidate's process has left them: believed in nothing."""
    files = [p for name in ("cache", "triton") for p in (folder / name).rglob("*.cubin")]
    for path in sorted(files)[:_MOST_FILES]:
        if not path.is_symlink() and path.is_file() and path.stat().st_size <= _LARGEST:
            yield path.read_bytes()


def _bare(kernel: str) -> str:
    found = _BARE.match(kernel)
    return found.group(1) if found else kernel
