"""Repairs: the rejected attempts that are worth handing back, and how often each was.

A failure is worth it when it got as far as running, or did not build but comes of something good, or
when nothing was accepted yet at all. It is handed back, or what came of it, a bounded number of times in
a row; then its line is given up. What was repaired is out, and what failed again stands in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernelwright.agents.roles import Attempt
from kernelwright.harness.verdict import STAGES

KEPT = 64
"""So many failures wait to be repaired, at most twice as many; the least promising are forgotten."""
RUNS = STAGES.index("run")
BUILDS = STAGES.index("build")


@dataclass
class Failure:
    """A rejected attempt that nobody has mended yet."""

    attempt: Attempt
    ancestor: float
    """Fitness of the accepted attempt that it comes of; 0 without one."""
    under_way: bool = False

    @property
    def promise(self) -> tuple[int, float, int]:
        """How far it came, what it comes of, and how new it is: larger is better."""
        stage = STAGES.index(self.attempt.verdict.stage)
        return stage, self.ancestor, self.attempt.round

    def worth_it(self, best: float | None, good: float) -> bool:
        """Whether to repair it, where the best fitness is `best`; from `good` of it on is good."""
        stage = STAGES.index(self.attempt.verdict.stage)
        if best is None or stage >= RUNS:
            return True
        return stage >= BUILDS and self.ancestor >= good * best


class Repairs:
    """Failures by candidate id, folded from the events."""

    def __init__(self) -> None:
        self._open: dict[str, Failure] = {}
        self._handed: dict[str, int] = {}
        """How often each failure and its rejected ancestors were handed back, in a row."""

    def failed(self, attempt: Attempt, ancestor: float) -> None:
        """An attempt was rejected; it takes the place of the failure that it was to mend."""
        key, parent = attempt.candidate.id, attempt.parent or ""
        self._open.pop(parent, None)
        self._handed[key] = self._handed.get(parent, 0)
        self._open[key] = Failure(attempt, ancestor)
        if len(self._open) > 2 * KEPT:
            by_promise = sorted(self._open, key=lambda one: self._open[one].promise)
            for one in by_promise[:KEPT]:
                del self._open[one]

    def mended(self, attempt: Attempt) -> None:
        """An attempt was accepted: what it comes of needs no repair any more."""
        self._open.pop(attempt.parent or "", None)

    def began(self, key: str) -> None:
        """A turn hands this failure back."""
        if key in self._open:
            self._handed[key] += 1
            self._open[key].under_way = True

    def ended(self, key: str) -> None:
        """That turn is over."""
        if key in self._open:
            self._open[key].under_way = False

    def next(self, repairs: int, best: float | None, good: float) -> Attempt | None:
        """The most promising failure that was handed back less than `repairs` times in a row."""
        found = [
            failure
            for failure in self._open.values()
            if self._handed[failure.attempt.candidate.id] < repairs
            and not failure.under_way
            and failure.worth_it(best, good)
        ]
        return max(found, key=lambda failure: failure.promise).attempt if found else None
