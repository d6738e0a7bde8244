"""Stop rules, and what has been spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from kernelwright.agents.settings import Settings

if TYPE_CHECKING:
    from kernelwright.agents.ledger.account import Line, Share
    from kernelwright.agents.run_state import RunState

Reason = Literal[
    "interrupted",
    "evaluations",
    "wall_time",
    "budget_usd",
    "budget_tokens",
    "near_roofline",
    "no_progress",
    "no_idea",
    "rounds",
    "recording_ended",
    "model_failed",
    "task_error",
    "harness_error",
]
HARNESS_ERRORS = 3
"""So many verdicts `harness_error` in a row mean that the machine is at fault."""
EMPTY_ROUNDS = 3
"""So many rounds in a row without one new candidate mean that the Coder only repeats itself."""


@dataclass(frozen=True)
class Stop:
    """Why the search ended."""

    reason: Reason
    message: str

    @property
    def ends_turns(self) -> bool:
        """Whether it breaks off turns that were decided already; else only no new one begins."""
        return self.reason not in ("no_idea", "no_progress", "rounds")


@dataclass(frozen=True)
class Evaluating:
    """What evaluations took, confirmations included, in seconds. None: not known."""

    wall_s: float = 0.0
    cpu_s: float | None = 0.0
    """Processor time of this process and of all that it started, measured."""
    gpu_s: float = 0.0
    """Wall time of the stages that hold a GPU; 0 on a CPU."""

    def __add__(self, other: Evaluating) -> Evaluating:
        """Both together."""
        cpu_s = None
        if self.cpu_s is not None and other.cpu_s is not None:
            cpu_s = self.cpu_s + other.cpu_s
        return Evaluating(self.wall_s + other.wall_s, cpu_s, self.gpu_s + other.gpu_s)


INTERRUPTED = Stop("interrupted", "interrupted; everything so far is kept, --resume continues")


@dataclass(frozen=True)
class Spent:
    """What the run has cost, all its sessions together. None: unknown."""

    usd: float | None
    tokens: int | None
    evaluations: int
    wall_s: float
    unknown: int = 0
    """How many calls have an unknown cost."""
    usd_at_most: float | None = None
    """With the most that those calls can have cost; None: nobody knows."""
    by_role: Mapping[str, Line] = field(default_factory=dict)
    by_model: Mapping[str, Line] = field(default_factory=dict)
    by_candidate: Mapping[str, Share] = field(default_factory=dict)
    """What each candidate's round cost, shared among the new ones of the round."""
    effort: Mapping[str, Evaluating] = field(default_factory=dict)
    """What judging each candidate took, by id."""
    evaluating: Evaluating = Evaluating()
    budget_usd: float | None = None
    """The dollars that it may cost in all; None: no limit."""
    budget_tokens: int | None = None


@dataclass(frozen=True)
class Remaining:
    """What is left of the budgets. None: no limit."""

    evaluations: int
    wall_s: float | None


def stop_rule(
    state: RunState,
    settings: Settings,
    wall_s: float,
    interrupted: bool,
    coders: Sequence[str] = ("",),
) -> Stop | None:
    """The first rule that says stop, or None. `wall_s` counts all sessions, in seconds.

    `coders`: the names of all who can be asked. Rules that break off turns come before those that only
    begin no new one.
    """
    if interrupted:
        return INTERRUPTED
    if state.task_error:
        return Stop("task_error", state.task_error)
    if state.harness_errors >= HARNESS_ERRORS:
        return Stop("harness_error", f"{state.harness_errors} in a row: {state.harness_message}")
    if state.evaluations >= settings.budget_evals:
        return Stop("evaluations", f"{state.evaluations} evaluations done")
    if settings.search_s is not None and wall_s >= settings.search_s:
        return Stop("wall_time", f"{wall_s:.0f} s of {60 * (settings.budget_minutes or 0):.0f} s")
    champion = state.champion
    roofline = champion.verdict.roofline if champion else None
    if roofline and roofline.fraction >= settings.target_roofline:
        return Stop("near_roofline", f"{roofline.fraction:.0%} of the {roofline.bound} roofline")
    if all(name in state.idle for name in coders):
        return Stop("no_idea", state.idle[coders[-1]])
    if state.empty_rounds >= EMPTY_ROUNDS:
        return Stop("no_idea", f"{state.empty_rounds} rounds in a row brought no new candidate")
    if state.rounds_since_progress >= settings.patience:
        return Stop("no_progress", f"{state.rounds_since_progress} rounds without a new best")
    if settings.rounds is not None and state.round >= settings.rounds:
        return Stop("rounds", f"{state.round} rounds done")
    return None
