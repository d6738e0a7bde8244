"""Runs as they would stand in a log, for what is remembered and shown of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from search_fakes import CPU, TASK

from kernelwright.agents.events import Event
from kernelwright.agents.run_state import RunState
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict
from kernelwright.tasks.task import Task

Interval = tuple[float, float, float]


def accepted(
    eager: Interval, champion: Interval | None = None, counters: Mapping[str, Any] | None = None
) -> Verdict:
    """Low, median, high against eager, and against the champion."""
    speedup = {"eager": _speedup(eager)}
    if champion:
        speedup["champion"] = _speedup(champion)
    return Verdict(
        "accepted",
        "done",
        speedup=speedup,
        roofline=Roofline("memory", 0.5),
        counters=counters or {},
        time_ms={"candidate": 1.0, "eager": eager[1]},
    )


REJECTED = Verdict("rejected", "correctness", (Finding("wrong_values", "off by 3"),))


def _speedup(interval: Interval) -> Speedup:
    low, median, high = interval
    return Speedup(median, low, high, 24)


class Run:
    """A run that is told event by event."""

    def __init__(self, began: float = 1000.0, task: Task = TASK) -> None:
        self.state = RunState()
        self._numbers = itertools.count(1)
        self._time = began
        self.candidates: dict[str, Candidate] = {}
        self.events: list[Event] = []
        self.event("run", "run", task=task.name, task_hash=task.hash, seed=0, language="cpp")
        device = {"kind": CPU.kind, "name": CPU.name, "threads": CPU.threads}
        self.event("session", "1", settings={}, device=device)

    def event(self, kind: str, key: str, /, **data: Any) -> None:
        self._time += 1.0
        event = Event(next(self._numbers), self._time, kind, key, data)
        self.events.append(event)
        self.state.apply(event)

    def turn(
        self,
        number: int,
        source: str,
        verdict: Verdict,
        parent: str | None = None,
        *,
        note: str = "",
        against: str | None = None,
        change: str | None = None,
        strategy: str | None = None,
        **turn: Any,
    ) -> str:
        """One turn with one candidate; its id."""
        self.event("decided", f"choose:{number}", parent=parent, **turn)
        if change is not None:
            advice = {"kind": "optimize", "cause": "", "change": change, "strategy": strategy}
            self.event("finished", f"judge:{number}", advice={**advice, "metrics": []})
        candidate = self._learn(source)
        self.event(
            "finished",
            f"propose:{number}",
            candidates=[candidate.id],
            fresh=[candidate.id],
            note=note,
            no_idea=None,
        )
        self._evaluate(candidate, number, parent, note, {}, against, verdict)
        return candidate.id

    def tuned(self, of: str, number: int, verdict: Verdict, **choice: Any) -> str:
        candidate = self._learn(f"{self.candidates[of].source}\n# {choice}")
        self._evaluate(candidate, number, of, "tuned", choice, None, verdict)
        return candidate.id

    def close(self, number: int, **data: Any) -> None:
        self.event("decided", f"round:{number}", **data)

    def _learn(self, source: str) -> Candidate:
        candidate = Candidate(source)
        self.candidates[candidate.id] = candidate
        self.state.learn(candidate, candidate.id)
        return candidate

    def _evaluate(
        self,
        candidate: Candidate,
        number: int,
        parent: str | None,
        note: str,
        choice: Mapping[str, Any],
        against: str | None,
        verdict: Verdict,
    ) -> None:
        self.event(
            "finished",
            f"evaluate:{candidate.id}",
            round=number,
            parent=parent,
            note=note,
            choice=dict(choice),
            against=against,
            verdict=verdict.to_json(),
            took={"wall_s": 2.0, "cpu_s": 1.5, "gpu_s": 0.0},
        )


GPU = DeviceFacts("cuda", "test gpu", 2)
