"""Other tenants: processor time that somebody else used while we measured."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
WORTH_SAYING = 0.2
"""Cores; less than this is the noise of any machine."""


@dataclass(frozen=True)
class Snapshot:
    """Seconds at one moment: the clock, all busy processors together, and our own processes."""

    clock: float
    busy: float
    own: float


def snapshot(workers: Sequence[int]) -> Snapshot | None:
    """Now, with `workers` (process ids) and this process as our own. None without /proc/stat."""
    try:
        fields = [int(f) for f in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    user, nice, system, _, _, irq, softirq, steal = fields
    busy = (user + nice + system + irq + softirq + steal) / _TICK
    return Snapshot(time.monotonic(), busy, time.process_time() + sum(map(_seconds, workers)))


def cores_of_others(before: Snapshot | None, after: Snapshot | None) -> float | None:
    """How many cores others kept busy between two snapshots, on average."""
    if before is None or after is None or after.clock <= before.clock:
        return None
    used = (after.busy - before.busy) - (after.own - before.own)
    return max(0.0, used / (after.clock - before.clock))


def _seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK
