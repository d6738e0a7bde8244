"""What an evaluation takes of the machine: wall, processor and GPU seconds.

The harness does not tell its workers' processor time, so it is taken from the kernel's own books
(proc_pid_stat(5)): this process and all below it, those that have ended and were waited for
included. Evaluations that run side by side in one process see each other's. GPU seconds are the wall
time of the stages that hold the device; what the device did in them is not measured here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kernelwright.agents.budget import Evaluating
from kernelwright.harness.verdict import Verdict

GPU_STAGES = ("check", "time")
"""Stages of a verdict during which the device is held."""


class Effort:
    """A stopwatch, started when it is made."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._cpu = tree_cpu_s()

    def of(self, verdict: Verdict) -> Evaluating:
        """What it took up to now to come to this verdict."""
        before, after = self._cpu, tree_cpu_s()
        held = verdict.device != "cpu"
        return Evaluating(
            wall_s=round(time.monotonic() - self._wall, 6),
            cpu_s=None if before is None or after is None else round(max(0.0, after - before), 2),
            gpu_s=sum(verdict.seconds.get(stage, 0.0) for stage in GPU_STAGES) if held else 0.0,
        )


def tree_cpu_s(root: int | None = None) -> float | None:
    """Processor seconds of a process (this one) and all below it; None where there is no /proc."""
    root = os.getpid() if root is None else root
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        process = int(entry.parent.name)
        parents[process] = int(fields[1])
        used[process] = sum(int(ticks) for ticks in fields[11:15])
    if root not in used:
        return None
    below = {root}
    while True:
        more = {child for child, parent in parents.items() if parent in below} - below
        if not more:
            break
        below |= more
    return sum(used[process] for process in below) / os.sysconf("SC_CLK_TCK")


def effort_json(effort: Evaluating) -> dict[str, Any]:
    """For an event."""
    return {"wall_s": effort.wall_s, "cpu_s": effort.cpu_s, "gpu_s": effort.gpu_s}


def effort_from(data: Mapping[str, Any] | None) -> Evaluating:
    """The inverse of `effort_json`; of an event without one the processor time is unknown."""
    return Evaluating(**data) if data else Evaluating(cpu_s=None)
