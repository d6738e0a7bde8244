"""Verdict: what the harness found out about one candidate, and its JSON.

The JSON is a contract (see docs/json.md): others read it. Unknown is null with a reason beside it,
never 0, 1 or -1. A fault of the task or of the machine is a verdict of its own and is never charged
to the candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["accepted", "rejected", "task_error", "harness_error"]
Stage = Literal["parse", "build", "run", "correctness", "integrity", "timing", "done"]
Track = Literal["custom", "mixed", "library"]
STAGES: tuple[Stage, ...] = (
    "parse",
    "build",
    "run",
    "correctness",
    "integrity",
    "timing",
    "done",
)


@dataclass(frozen=True)
class Finding:
    """One thing worth saying. `code` is stable and machine-readable, `message` is for people."""

    code: str
    message: str
    severity: Literal["error", "warning", "note"] = "error"
    detail: Mapping[str, Any] = field(default_factory=dict)
    """The same in figures, where there are some: plain JSON values, by name."""


@dataclass(frozen=True)
class Speedup:
    """Median of paired ratios baseline time / candidate time, with its 95% bootstrap interval."""

    median: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Roofline:
    """Share of the physical floor reached: floor time / candidate time, in [0, 1]."""

    bound: Literal["memory", "compute"]
    fraction: float


@dataclass(frozen=True)
class Samples:
    """What was measured: seconds a call by contestant; entry i of every list belongs to round i.

    `starts` are the rounds of each start of the processes (see `Timings.speedup`).
    """

    seconds: Mapping[str, tuple[float, ...]]
    starts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The whole judgement. Keys of `time_ms` and `speedup`: candidate, eager, compile, champion."""

    verdict: Outcome
    stage: Stage
    findings: tuple[Finding, ...] = ()
    track: Track | None = None
    precision: str | None = None
    language: str | None = None
    device: str = "cpu"
    time_ms: Mapping[str, float | None] = field(default_factory=dict)
    speedup: Mapping[str, Speedup | None] = field(default_factory=dict)
    roofline: Roofline | None = None
    counters: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a field that is null is unknown, by the field's name (`"speedup.compile"`)."""
    samples: Samples | None = None
    """Of a final judgement only."""
    own_time: float | None = None
    """Share of the work of timed calls that libraries did not do, in [0, 1]: what the track is decided by."""

    @property
    def accepted(self) -> bool:
        """Whether the candidate passed every stage."""
        return self.verdict == "accepted"

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that led to the rejection."""
        return tuple(f for f in self.findings if f.severity == "error")

    def to_json(self) -> dict[str, Any]:
        """The object of `kernelwright verify --json`."""
        return {
            "verdict": self.verdict,
            "stage": self.stage,
            "track": self.track,
            "own_time": self.own_time,
            "precision": self.precision,
            "language": self.language,
            "device": self.device,
            "findings": [
                {
                    "code": f.code,
                    "severity": f.severity,
                    "message": f.message,
                    **({"detail": dict(f.detail)} if f.detail else {}),
                }
                for f in self.findings
            ],
            "time_ms": dict(self.time_ms),
            "speedup": {
                name: None
                if s is None
                else {"median": s.median, "low": s.low, "high": s.high, "pairs": s.pairs}
                for name, s in self.speedup.items()
            },
            "roofline": None
            if self.roofline is None
            else {"bound": self.roofline.bound, "fraction": self.roofline.fraction},
            "counters": dict(self.counters),
            "seconds": dict(self.seconds),
            "reasons": dict(self.reasons),
            **({"samples": _samples_json(self.samples)} if self.samples else {}),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Verdict:
        """The inverse of `to_json`. Raises KeyError or TypeError for what is not a verdict."""
        roof = data.get("roofline")
        return Verdict(
            verdict=data["verdict"],
            stage=data["stage"],
            findings=tuple(
                Finding(f["code"], f["message"], f["severity"], f.get("detail", {}))
                for f in data["findings"]
            ),
            track=data.get("track"),
            own_time=data.get("own_time"),
            precision=data.get("precision"),
            language=data.get("language"),
            device=data.get("device", "cpu"),
            time_ms=data.get("time_ms", {}),
            speedup={
                name: None if s is None else Speedup(s["median"], s["low"], s["high"], s["pairs"])
                for name, s in data.get("speedup", {}).items()
            },
            roofline=None if roof is None else Roofline(roof["bound"], roof["fraction"]),
            counters=data.get("counters", {}),
            seconds=data.get("seconds", {}),
            reasons=data.get("reasons", {}),
            samples=_samples(data.get("samples")),
        )


def _samples_json(samples: Samples) -> dict[str, Any]:
    seconds = {name: list(values) for name, values in samples.seconds.items()}
    return {"seconds": seconds, "starts": list(samples.starts)}


def _samples(data: Mapping[str, Any] | None) -> Samples | None:
    if data is None:
        return None
    seconds = {name: tuple(values) for name, values in data["seconds"].items()}
    return Samples(seconds, tuple(data["starts"]))
