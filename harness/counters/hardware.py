"""Hardware events of one call on the processor: cycles, instructions, cache and branch misses, as it ran.

By perf_event_open(2) through ctypes, in user mode, for a process and the threads that it starts. Many virtual
machines have no such counters and many systems forbid them: then the reason says which. What the worker does
around a call is taken off: a leg with more calls less one with fewer.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import os
import platform
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from kernelwright.harness.counters.counters import Counter, KernelCounters, missing

_NUMBERS = {"x86_64": 298, "aarch64": 241}
"""Of the system call."""
_SIZE = 112
"""PERF_ATTR_SIZE_VER5."""
_ATTRIBUTES = struct.Struct("<IIQQQQQ")
"""type, size, config, sample_period, sample_type, read_format, flags; the rest is zero."""
_TIMES = 1 | 2
"""PERF_FORMAT_TOTAL_TIME_ENABLED and _RUNNING."""
_DISABLED, _INHERIT, _NO_KERNEL, _NO_HYPERVISOR = 1 << 0, 1 << 1, 1 << 5, 1 << 6
_ENABLE, _DISABLE = 0x2400, 0x2401
_CLOSE_ON_EXEC = 1 << 3
_READ = struct.Struct("<QQQ")
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_SOURCE = "perf_event_open"
HARDWARE: Mapping[str, tuple[int, int, str]] = {
    "cycles": (0, 0, "cycles"),
    "instructions_retired": (0, 1, "instructions"),
    "cache_references": (0, 2, "accesses"),
    "cache_misses": (0, 3, "accesses"),
    "branches_retired": (0, 4, "branches"),
    "branch_misses": (0, 5, "branches"),
}
"""By name: type and number of the event, and what is counted."""
_SHARES = {
    "instructions_per_cycle": ("instructions_retired", "cycles"),
    "cache_miss_share": ("cache_misses", "cache_references"),
    "branch_miss_share": ("branch_misses", "branches_retired"),
}


class Events:
    """Counts events of a process and of the threads that it starts from now on. A context manager.

    Events that cannot be had stand in `absent` with their reason.
    """

    def __init__(self, pid: int, events: Mapping[str, tuple[int, int, str]] = HARDWARE) -> None:
        self.units = {name: unit for name, (_, _, unit) in events.items()}
        self.absent: dict[str, str] = {}
        self._open: dict[str, int] = {}
        for name, (kind, number, _) in events.items():
            try:
                self._open[name] = _opened(pid, kind, number)
            except OSError as error:
                self.absent[name] = _reason(error)

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def during(self, run: Callable[[], object]) -> dict[str, float]:
        """What happened while `run` ran; scaled up where the processor counted only part of the time."""
        before = {name: self._read(name) for name in self._open}
        for descriptor in self._open.values():
            fcntl.ioctl(descriptor, _ENABLE, 0)
        try:
            run()
        finally:
            for descriptor in self._open.values():
                fcntl.ioctl(descriptor, _DISABLE, 0)
        found = {}
        for name, (count, enabled, running) in before.items():
            now = self._read(name)
            counted = now[2] - running
            if counted > 0:
                found[name] = (now[0] - count) * (now[1] - enabled) / counted
            else:
                self.absent.setdefault(name, "the processor had no counter free")
        return found

    def _read(self, name: str) -> tuple[int, int, int]:
        count, enabled, running = _READ.unpack(os.read(self._open[name], _READ.size))
        return count, enabled, running


def unavailable() -> str | None:
    """Why no hardware event can be counted here; None where cycles can."""
    with Events(0, {"cycles": HARDWARE["cycles"]}) as events:
        return events.absent.get("cycles")


def of_one_call(
    events: Events, run: Callable[[int], object], fewer: int, more: int
) -> KernelCounters:
    """Counters of one call; `run` makes so many of them in a row."""
    few, many = (events.during(functools.partial(run, n)) for n in (fewer, more))
    figures = {name: (many[name] - few[name]) / (more - fewer) for name in many if name in few}
    values: dict[str, Counter] = {}
    for name, unit in events.units.items():
        figure = figures.get(name)
        if figure is not None and figure > 0:
            values[name] = Counter(round(figure), unit, _SOURCE)
        else:
            reason = events.absent.get(name, "fewer than what happens around a call")
            values |= missing({name: unit}, _SOURCE, reason)
    for name, (part, whole) in _SHARES.items():
        above, below = (values[n].value if n in values else None for n in (part, whole))
        if isinstance(above, int) and isinstance(below, int) and below:
            unit = "" if name == "instructions_per_cycle" else "share"
            values[name] = Counter(above / below, unit, _SOURCE)
    return KernelCounters("one call", "cpu", values, 1)


def _opened(pid: int, kind: int, number: int) -> int:
    """A descriptor of an event that does not count yet. Raises OSError."""
    call = _NUMBERS.get(platform.machine())
    if call is None:
        raise OSError(errno.ENOSYS, f"not known on {platform.machine()}")
    flags = _DISABLED | _INHERIT | _NO_KERNEL | _NO_HYPERVISOR
    head = _ATTRIBUTES.pack(kind, _SIZE, number, 0, 0, _TIMES, flags)
    attributes = ctypes.create_string_buffer(head, _SIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(
        ctypes.c_long(call), attributes, ctypes.c_int(pid), ctypes.c_int(-1), ctypes.c_int(-1),
        ctypes.c_ulong(_CLOSE_ON_EXEC),
    )  # fmt: skip
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(descriptor)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV):
        return "the processor, or the virtual machine, offers no such counter"
    if error.errno in (errno.EACCES, errno.EPERM):
        try:
            level = f" ({_PARANOID.name} is {_PARANOID.read_text().strip()})"
        except OSError:
            level = ""
        return f"the system forbids it{level}: sysctl kernel.perf_event_paranoid=2, or CAP_PERFMON"
    if error.errno == errno.ENOSYS:
        return "the kernel has no perf_event_open"
    return f"perf_event_open: {error.strerror}"
