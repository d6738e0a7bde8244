"""Counters: what was counted of a candidate's kernels, the same for every device and tool.

A counter has a value or a reason, never a number that nobody counted. Each names its unit and the tool
that gave it. `to_json` is what stands under `counters` of a verdict (docs/counters.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Value = int | float | str


@dataclass(frozen=True)
class Counter:
    """One figure; `value` is None where it is missing, and then `reason` says why."""

    value: Value | None
    unit: str
    """What is counted: `registers`, `bytes`, `instructions`; `share` lies in [0, 1]."""
    source: str
    """The tool or table that gave it."""
    reason: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.reason):
            raise ValueError("a counter has either a value or a reason")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        data = {"value": self.value, "unit": self.unit, "source": self.source}
        return {**data, "reason": self.reason} if self.reason else data


@dataclass(frozen=True)
class KernelCounters:
    """The counters of one kernel on one device, real or compiled for."""

    kernel: str
    device: str
    """`cpu`, a compute capability such as `sm_90`, or an AMD target such as `gfx942`."""
    values: Mapping[str, Counter]
    """By name, the most telling first."""
    launches: int | None = None
    """How often one call of the candidate launches it; None: not known."""
    grid: tuple[int, ...] | None = None
    """Blocks, or programs, of the launch; None: not known or several."""
    time_share: float | None = None
    """Share of the time of one call, in [0, 1]; None: not measured."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "kernel": self.kernel,
            "device": self.device,
            "launches": self.launches,
            "grid": None if self.grid is None else list(self.grid),
            "time_share": self.time_share,
            "values": {name: counter.to_json() for name, counter in self.values.items()},
        }


@dataclass(frozen=True)
class Counters:
    """All that was counted, and why what was not could not be."""

    kernels: tuple[KernelCounters, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    """What could not be counted at all, with its reason: `sm_100`, `hardware events`."""

    def to_json(self) -> dict[str, Any]:
        """The object under `counters` of a verdict."""
        return {"kernels": [k.to_json() for k in self.kernels], "missing": dict(self.missing)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Counters:
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError for anything else."""
        return Counters(
            tuple(_kernel_from(k) for k in data["kernels"]),
            {str(name): str(reason) for name, reason in data["missing"].items()},
        )

    def of(self, device: str) -> tuple[KernelCounters, ...]:
        """The kernels of one device."""
        return tuple(k for k in self.kernels if k.device == device)

    def joined(self, other: Counters) -> Counters:
        """Both."""
        return Counters((*self.kernels, *other.kernels), {**self.missing, **other.missing})

    def lines(self, most: int | None = None) -> Iterator[str]:
        """For people and models: a line for each kernel, at most so many counters in it."""
        for kernel in self.kernels:
            times = "" if kernel.launches in (None, 1) else f", {kernel.launches} launches"
            share = "" if kernel.time_share is None else f", {kernel.time_share:.0%} of the time"
            known = [(n, c) for n, c in kernel.values.items() if c.value is not None]
            said = ", ".join(_said(name, counter) for name, counter in known[:most])
            yield f"{kernel.kernel} on {kernel.device}{times}{share}: {said or 'nothing counted'}"
            yield from _unknown(kernel)
        for name, reason in self.missing.items():
            yield f"{name}: not counted ({reason})"


def missing(names: Mapping[str, str], source: str, reason: str) -> dict[str, Counter]:
    """Counters without a value, from their names and units, for one reason."""
    return {name: Counter(None, unit, source, reason) for name, unit in names.items()}


def _kernel_from(data: Mapping[str, Any]) -> KernelCounters:
    grid = data.get("grid")
    return KernelCounters(
        data["kernel"],
        data["device"],
        {
            name: Counter(c["value"], c["unit"], c["source"], c.get("reason", ""))
            for name, c in data["values"].items()
        },
        data.get("launches"),
        None if grid is None else tuple(grid),
        data.get("time_share"),
    )


def _said(name: str, counter: Counter) -> str:
    value, words = counter.value, _words(name)
    if counter.unit == "share" and isinstance(value, float):
        return f"{words} {value:.1%}"
    figure = (
        f"{value:.4g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else value
    )
    return f"{words} {figure}"


def _words(name: str) -> str:
    """A tool's own name of a metric stays as it is."""
    return name if "__" in name else name.replace("_", " ")


def _unknown(kernel: KernelCounters) -> Iterator[str]:
    """The missing ones, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for name, counter in kernel.values.items():
        if counter.value is None:
            by_reason.setdefault(counter.reason, []).append(_words(name))
    for reason, names in by_reason.items():
        yield f"{kernel.kernel} on {kernel.device}: no {', '.join(names)} ({reason})"
