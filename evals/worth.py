"""What a verdict is worth as a reward. With S the low end of the speedup's interval against eager:

    0                     rejected, or not Python with a ModelNew
    0.3 + min(S, 10)      accepted
    0.3                   accepted, but a library does the work

0.3 for correctness beside the speedup is Kevin-32B's (Baronio et al. 2025, arXiv:2507.11948). The low end
and not the median, so that noise earns nothing; the cap, so that one kernel does not drown a batch;
nothing for a call of the library, or every policy ends there.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernelwright.harness.parse import parse_problem
from kernelwright.harness.verdict import Verdict

CORRECT, MOST_SPEEDUP = 0.3, 10.0


@dataclass(frozen=True)
class Judged:
    """A verdict, and what it is worth."""

    verdict: Verdict
    value: float | None
    """The reward; None: the machine failed, see the verdict."""
    format: float
    """1 where the source is Python that defines ModelNew, else 0."""
    correct: float
    """1 where the harness accepted it, else 0."""
    speed: float
    """min(S, 10) where that counts, else 0."""


def worth(verdict: Verdict, source: str) -> Judged:
    """The reward of a verdict, by the formula above."""
    form = 0.0 if parse_problem(source) else 1.0
    if verdict.verdict in ("harness_error", "task_error"):
        return Judged(verdict, None, form, 0.0, 0.0)
    if not verdict.accepted:
        return Judged(verdict, 0.0, form, 0.0, 0.0)
    gained = verdict.speedup.get("eager")
    own = verdict.track != "library"
    speed = min(max(gained.low, 0.0), MOST_SPEEDUP) if gained and own else 0.0
    return Judged(verdict, CORRECT + speed, form, 1.0, speed)
