"""NVML: clocks, power, temperature, throttling, other tenants and energy of one GPU.

By the package `nvidia-ml-py`, which is imported here only. Whatever cannot be had is absent with its reason;
nothing here raises for a driver that does not answer. Units are those of the fields.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kernelwright.harness.counters.counters import Counter, KernelCounters
from kernelwright.harness.verdict import Finding

_SM, _MEMORY, _CORE = 1, 2, 0
"""NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU."""
_SLOWED = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "thermal slowdown (software)",
    0x40: "thermal slowdown (hardware)",
    0x80: "power brake",
}
"""Bits of nvmlClocksEventReasons that make a device slower than it was asked to be. Idle and clocks that
somebody chose are none of them."""
_CLOCKS_MOVED = 0.05
"""Share by which clocks may differ between looks in one contest."""
_LEAST_SECONDS = 0.5
"""The counter of energy moves some ten times a second."""
NO_PACKAGE = "no NVML bindings: pip install nvidia-ml-py"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Look:
    """The device at one moment; None is unknown, and `absent` says why by the field's name."""

    clock: float
    """Seconds of the host's monotonic clock."""
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    power_w: float | None = None
    temperature_c: int | None = None
    slowed: tuple[str, ...] | None = None
    """Why it runs more slowly than asked; empty: it does not."""
    others: int | None = None
    """Compute processes that are not ours, at least."""
    energy_j: float | None = None
    """Since the driver was loaded."""
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """What does not change: versions and the highest clocks."""

    driver: str | None = None
    clocks_mhz: Mapping[str, int] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


class Nvml:
    """One device, by its UUID or number. Raises LookupError, with one line, where NVML does not answer."""

    def __init__(self, which: str | int = 0) -> None:
        try:
            self._nvml: Any = importlib.import_module("pynvml")
        except ImportError:
            raise LookupError(NO_PACKAGE) from None
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as error:
            raise LookupError(f"NVML: {error}") from None
        try:
            self._device = self._found(which)
        except self._nvml.NVMLError as error:
            raise LookupError(f"NVML knows no device {which}: {error}") from None

    def _found(self, which: str | int) -> Any:
        if isinstance(which, int):
            return self._nvml.nvmlDeviceGetHandleByIndex(which)
        name = which if which.startswith(("GPU-", "MIG-")) else f"GPU-{which}"
        return self._nvml.nvmlDeviceGetHandleByUUID(name)

    def identity(self) -> Identity:
        """Driver and highest clocks."""
        nvml, absent = self._nvml, dict[str, str]()
        clocks = {
            name: self._ask(absent, f"clock {name}", nvml.nvmlDeviceGetMaxClockInfo, kind)
            for name, kind in (("sm", _SM), ("memory", _MEMORY))
        }
        try:
            driver = _text(nvml.nvmlSystemGetDriverVersion())
        except nvml.NVMLError as error:
            driver, absent["driver"] = None, str(error)
        return Identity(driver, {n: int(v) for n, v in clocks.items() if v is not None}, absent)

    def look(self, own: Collection[int] = ()) -> Look:
        """Now. `own`: processes of ours that use the device; this one is ours anyway."""
        nvml, absent = self._nvml, dict[str, str]()
        power = self._ask(absent, "power_w", nvml.nvmlDeviceGetPowerUsage)
        energy = self._ask(absent, "energy_j", nvml.nvmlDeviceGetTotalEnergyConsumption)
        bits = self._ask(absent, "slowed", self._reasons)
        pids = self._ask(absent, "others", self._processes)
        others = None if pids is None else others_of(pids, {os.getpid(), *own})
        if pids is not None and others is None:
            absent["others"] = "the process ids that NVML lists are those of another namespace"
        return Look(
            time.monotonic(),
            sm_mhz=self._ask(absent, "sm_mhz", nvml.nvmlDeviceGetClockInfo, _SM),
            memory_mhz=self._ask(absent, "memory_mhz", nvml.nvmlDeviceGetClockInfo, _MEMORY),
            power_w=None if power is None else power * 1e-3,
            temperature_c=self._ask(absent, "temperature_c", nvml.nvmlDeviceGetTemperature, _CORE),
            slowed=None if bits is None else tuple(t for b, t in _SLOWED.items() if bits & b),
            others=others,
            energy_j=None if energy is None else energy * 1e-3,
            absent=absent,
        )

    def close(self) -> None:
        """Let NVML go."""
        self._nvml.nvmlShutdown()

    def _reasons(self, device: Any) -> int:
        for name in (
            "nvmlDeviceGetCurrentClocksEventReasons",
            "nvmlDeviceGetCurrentClocksThrottleReasons",
        ):
            if hasattr(self._nvml, name):
                return int(getattr(self._nvml, name)(device))
        raise self._nvml.NVMLError(self._nvml.NVML_ERROR_FUNCTION_NOT_FOUND)

    def _processes(self, device: Any) -> list[int]:
        return [int(p.pid) for p in self._nvml.nvmlDeviceGetComputeRunningProcesses(device)]

    def _ask(
        self, absent: dict[str, str], name: str, function: Callable[..., _T], *more: Any
    ) -> _T | None:
        try:
            return function(self._device, *more)
        except self._nvml.NVMLError as error:
            absent[name] = f"NVML: {error}"
            return None


class Watch:
    """Looks at one device while it is timed; none where NVML does not answer, and `reason` says why."""

    def __init__(self, which: str | int = 0) -> None:
        self.looks: list[Look] = []
        self.reason = ""
        self._nvml: Nvml | None = None
        try:
            self._nvml = Nvml(which)
        except LookupError as error:
            self.reason = str(error)

    def begin(self) -> None:
        """Another candidate: forget what was seen."""
        self.looks.clear()

    def look(self, own: Collection[int] = ()) -> None:
        """Now, right behind a leg, while clocks are still those of it."""
        if self._nvml is not None:
            self.looks.append(self._nvml.look(own))

    def findings(self) -> tuple[Finding, ...]:
        """What the looks say against the timing; a note where there were none."""
        if self._nvml is None:
            said = f"clocks, throttling and other tenants of the GPU are unknown: {self.reason}"
            return (Finding("gpu_unwatched", said, "note"),)
        return warnings(self.looks)


def others_of(pids: Sequence[int], own: Collection[int]) -> int | None:
    """How many processes are not ours, at least; None where the numbers cannot be ours.

    In a container NVML may list the host's numbers, under which we do not know ourselves.
    """
    strange = [pid for pid in pids if pid not in own]
    if not strange or len(strange) < len(pids):
        return len(strange)
    beyond = len(pids) - len(own)
    return beyond if beyond > 0 else None


def identity(which: str | int = 0) -> Identity:
    """Of a device; all of it absent, with the reason, where there is no NVML."""
    try:
        nvml = Nvml(which)
    except LookupError as error:
        return Identity(absent={"driver": str(error), "clocks": str(error)})
    try:
        return nvml.identity()
    finally:
        nvml.close()


def warnings(looks: Sequence[Look]) -> tuple[Finding, ...]:
    """What looks taken while the device was timed say against the timing."""
    found = []
    slowed = sorted({reason for look in looks for reason in look.slowed or ()})
    if slowed:
        message = f"the GPU was slowed down while it was timed: {', '.join(slowed)}"
        found.append(Finding("gpu_throttled", message, "warning", {"reasons": slowed}))
    others = max((look.others or 0 for look in looks), default=0)
    if others:
        message = f"{others} processes of others used the GPU while it was timed: measure again"
        found.append(Finding("gpu_tenants", message, "warning", {"processes": others}))
    clocks = [look.sm_mhz for look in looks if look.sm_mhz]
    if clocks and max(clocks) - min(clocks) > _CLOCKS_MOVED * max(clocks):
        message = (
            f"the GPU's clock moved between {min(clocks)} and {max(clocks)} MHz while it was timed"
        )
        detail = {"least_mhz": min(clocks), "most_mhz": max(clocks)}
        found.append(Finding("gpu_clocks_moved", message, "warning", detail))
    return tuple(found)


def energy_a_call(before: Look, after: Look, calls: int) -> Counter:
    """Joules of one of so many calls that ran between two looks, all that the device drew meanwhile."""
    reason = before.absent.get("energy_j") or after.absent.get("energy_j") or ""
    seconds = after.clock - before.clock
    if not reason and seconds < _LEAST_SECONDS:
        reason = f"{seconds:.2f} s are too short for its counter of energy"
    if not reason and calls < 1:
        reason = "no call was made"
    if reason or before.energy_j is None or after.energy_j is None:
        return Counter(None, "J", "NVML", reason or "not asked for")
    return Counter((after.energy_j - before.energy_j) / calls, "J", "NVML")


def counters(look: Look, device: str) -> KernelCounters:
    """What a look says, as counters of the device."""
    values = {}
    for name, unit in (
        ("sm_mhz", "MHz"), ("memory_mhz", "MHz"), ("power_w", "W"), ("temperature_c", "degrees C")
    ):  # fmt: skip
        value = getattr(look, name)
        reason = "" if value is not None else look.absent.get(name, "not asked for")
        values[name] = Counter(value, unit, "NVML", reason)
    if look.slowed is None:
        reason = look.absent.get("slowed", "not asked for")
        values["slowed"] = Counter(None, "text", "NVML", reason)
    else:
        values["slowed"] = Counter(", ".join(look.slowed) or "no", "text", "NVML")
    return KernelCounters("the device", device, values)


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
