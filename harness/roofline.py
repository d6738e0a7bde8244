"""The physical floor of a task, and the share of it that a time reaches (Williams et al. 2009)."""

from __future__ import annotations

from dataclasses import dataclass

from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.peaks import bandwidth_at
from kernelwright.harness.verdict import Roofline

_WAYS = {
    "fp64": {"fp64": 1, "int8": 20},
    "fp32": {"fp32": 1, "tf32": 3, "bf16": 3, "fp16": 3},
    "tf32": {"tf32": 1, "bf16": 1, "fp16": 1},
    "fp16": {"fp16": 1, "bf16": 1},
    "bf16": {"bf16": 1, "fp16": 1},
}
"""By precision class: what a GPU may multiply in, and how many such products make one of the class. Of
factors split into two bf16 numbers each, three products make one within fp32's budget (Henry et al. 2019)."""
_HEADROOM = 0.4
"""A time below this share of the floor is impossible. Not 1: the peaks are those of simple loops, and
inputs that a harness has just written may still lie in a nearer cache."""


@dataclass(frozen=True)
class Floor:
    """Least seconds for moving the bytes and for doing the operations, at measured peaks."""

    memory_s: float | None
    compute_s: float | None

    @property
    def seconds(self) -> float | None:
        """The larger of the two; None where neither is known."""
        known = [s for s in (self.memory_s, self.compute_s) if s]
        return max(known) if known else None

    def reached(self, seconds: float) -> Roofline | None:
        """Bound and share of the floor at a measured time; None where the floor is unknown."""
        least = self.seconds
        if least is None:
            return None
        compute = (self.compute_s or 0.0) >= (self.memory_s or 0.0)
        return Roofline("compute" if compute else "memory", min(1.0, least / seconds))

    def impossible(self, seconds: float) -> bool:
        """Whether no honest kernel on this machine could be so fast."""
        least = self.seconds
        return least is not None and seconds < _HEADROOM * least


def floor(
    facts: DeviceFacts,
    operations: int | None,
    bytes_moved: int | None,
    precision: str | None = None,
) -> Floor:
    """The floor of a task that needs so many operations and bytes, in a class of precision."""
    bandwidth = bandwidth_at(facts, bytes_moved) if bytes_moved else None
    memory = bytes_moved / (bandwidth * 1e9) if bandwidth and bytes_moved else None
    peak = peak_gflops(facts, precision)
    compute = operations / (peak * 1e9) if peak and operations else None
    return Floor(memory, compute)


def peak_gflops(facts: DeviceFacts, precision: str | None = None) -> float | None:
    """The rate of the fastest way to compute within a class; without one, of the fastest at all.

    A processor has one rate; a GPU has one for each type that its matrix units multiply.
    """
    if not facts.matrix_gflops:
        return facts.peak_gflops
    ways = _WAYS.get(precision or "", dict.fromkeys(facts.matrix_gflops, 1))
    rates = [rate / ways[name] for name, rate in facts.matrix_gflops.items() if name in ways]
    return max([*rates, facts.peak_gflops or 0.0], default=0.0) or None
