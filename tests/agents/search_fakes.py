"""A world without machines: scripted roles, and an evaluator whose verdicts are a pure function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernelwright.agents.roles import Advice, Brief, NoIdea, Proposal, Spend
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict
from kernelwright.tasks.task import Task

TASK = Task("scale", "import torch\nclass Model(torch.nn.Module): ...\n")
CPU = DeviceFacts("cpu", "test cpu", 2, ("avx2",))
PENNY = Spend(0.01, 100, 10)


def kernel(speed: float, *, fails: str = "", final: float | None = None, **space: list[int]) -> str:
    """Source of a fake kernel. Each value of its space adds `value / 100` to the speed."""
    tuned = ", ".join(f"{name}={values}" for name, values in space.items())
    return "\n".join(
        [
            f"P = tuned({tuned})" if space else "",
            f"SPEED = {speed!r}",
            f"FAILS = {fails!r}",
            f"FINAL = {speed if final is None else final!r}",
            "class ModelNew: ...",
            "",
        ]
    )


@dataclass
class FakeEvaluator:
    """Reads the verdict off the source. Counts what it was asked."""

    facts: DeviceFacts = CPU
    calls: list[tuple[str, str, str | None]] = field(default_factory=list)
    roofline: float | None = None
    broken: Callable[[str, str], bool] = lambda key, effort: False
    before: Callable[[], None] = lambda: None

    def evaluate(self, candidate, *, effort="loop", champion=None):
        self.before()
        self.calls.append((candidate.id, effort, champion.id if champion else None))
        if self.broken(candidate.id, effort):
            return Verdict("harness_error", "run", (Finding("oom", "the machine is full"),))
        fails = _value(candidate, "FAILS").strip("'")
        if fails == "task_error":
            return Verdict("task_error", "run", (Finding("reference", "the reference raises"),))
        if fails:
            return Verdict("rejected", fails, (Finding("wrong", f"fails at {fails}"),))
        speed = float(_value(candidate, "FINAL")) if effort == "final" else speed_of(candidate)
        speedups = {"eager": _interval(speed)}
        if champion:
            speedups["champion"] = _interval(speed / speed_of(champion))
        if effort == "final":
            speedups["compile"] = _interval(speed / 1.5)
        roofline = None if self.roofline is None else Roofline("memory", self.roofline)
        return Verdict("accepted", "done", (), "custom", speedup=speedups, roofline=roofline)


def speed_of(candidate: Candidate) -> float:
    space = candidate.space
    return float(_value(candidate, "SPEED")) + sum(int(v[0]) for v in space.values()) / 100


def _value(candidate: Candidate, name: str) -> str:
    found = re.search(rf"^{name} = (.*)$", candidate.source, re.M)
    assert found
    return found.group(1)


def _interval(median: float) -> Speedup:
    return Speedup(median, median * 0.99, median * 1.01, 40)


@dataclass
class ScriptedCoder:
    """Gives the next line of a script; each line is the sources of one round."""

    script: list[Any]
    calls: list[int] = field(default_factory=list)
    briefs: list[Brief] = field(default_factory=list)

    def propose(self, brief):
        self.calls.append(brief.round)
        self.briefs.append(brief)
        if brief.round > len(self.script):
            raise NoIdea("the script has ended")
        line = self.script[brief.round - 1]
        if isinstance(line, Exception):
            raise line
        return Proposal(tuple(Candidate(s) for s in line), f"round {brief.round}", PENNY)


@dataclass
class EchoJudge:
    """Says what it was asked about."""

    calls: list[tuple[int, str]] = field(default_factory=list)

    def advise(self, brief, attempt):
        self.calls.append((brief.round, attempt.candidate.id))
        kind = "optimize" if attempt.verdict.accepted else "correct"
        return Advice(kind, "cause", f"change {attempt.candidate.id}", 1.2, {"n": 1}, PENNY)


@dataclass
class Watcher:
    """An Observer that writes down what it is told."""

    seen: list[tuple[str, Any]] = field(default_factory=list)
    over: list[str] = field(default_factory=list)

    def round_started(self, round, parent):
        self.seen.append(("round", (round, parent and parent.candidate.id)))

    def working(self, what, key):
        self.seen.append((what, key))

    def done(self, key):
        self.over.append(key)

    def evaluated(self, attempt):
        self.seen.append(("evaluated", attempt.candidate.id))

    def new_best(self, attempt):
        self.seen.append(("best", attempt.candidate.id))

    def spent(self, spent, remaining):
        self.seen.append(("spent", (spent, remaining)))

    def stopped(self, stop):
        self.seen.append(("stopped", stop.reason))

    def of(self, *kinds: str) -> list[Any]:
        return [what for kind, what in self.seen if kind in kinds]


def ids(sources: Iterable[str]) -> list[str]:
    return [Candidate(s).id for s in sources]


def folder(tmp_path: Path) -> Path:
    return tmp_path / "out" / "scale" / "run"
