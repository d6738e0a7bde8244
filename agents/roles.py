"""The roles, and the few nouns that pass between them.

A Coder proposes candidates, a Judge reads a verdict and gives one advice. Both are Protocols:
played by a language model with the prompts of `agents/prompts/`, or by the built-in optimizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from kernelwright.agents.traits import Traits
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.target import Target as Target
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.task import Task

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Spend:
    """What a call cost. None is unknown (no price, no count given), 0 only where it is nothing."""

    usd: float | None = 0.0
    input_tokens: int | None = 0
    output_tokens: int | None = 0

    @property
    def tokens(self) -> int | None:
        """Input and output together."""
        return _sum(self.input_tokens, self.output_tokens)

    def __add__(self, other: Spend) -> Spend:
        """Both together; unknown where either is."""
        return Spend(
            _sum(self.usd, other.usd),
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
        )


def _sum(a: Number | None, b: Number | None) -> Number | None:
    return None if a is None or b is None else a + b


@dataclass(frozen=True)
class Attempt:
    """A candidate with what the harness said of it and where it came from."""

    candidate: Candidate
    verdict: Verdict
    round: int
    parent: str | None = None
    """`Candidate.id` of the parent."""
    note: str = ""
    """What the Coder says it did, one line."""
    choice: Mapping[str, int | float | str] = field(default_factory=dict)
    """The values that the tuner baked into `parent`; empty for what a Coder wrote."""
    other: str | None = None
    """`Candidate.id` of the second parent of a crossing."""
    traits: Traits | None = None
    """What its text shows of its kind; None in logs that did not keep it."""
    twin: str | None = None
    """`Candidate.id` of the one with the same compiled code, whose verdict this is."""


@dataclass(frozen=True)
class Advice:
    """The Judge's one advice: what is wrong or what binds, and the one change to make.

    An empty `change` means that nothing usable was in the answer; it is charged all the same.
    """

    kind: Literal["correct", "optimize"]
    cause: str
    change: str
    predicted_gain: float | None = None
    """Predicted factor on speed (1.2 = 20% faster); None where the Judge does not say."""
    directive: Mapping[str, Any] = field(default_factory=dict)
    """The same advice in machine-readable form, where the Judge can give it."""
    spend: Spend = Spend()
    strategy: str | None = None
    """Name of the strategy that the change follows, where it follows one of those offered."""
    metrics: tuple[str, ...] = ()
    """The three or four measurements that the advice rests on, as the Judge names them."""


@dataclass(frozen=True)
class Strategy:
    """A way to make a kernel faster: one short file of `agents/prompts/strategies/`."""

    name: str
    text: str
    """What it is, when it pays, how it is done, what to look out for."""
    bottlenecks: tuple[str, ...] = ()
    """Which bottlenecks it is for: `memory`, `compute`, `latency`, `overhead`; empty: any."""
    languages: tuple[str, ...] = ()
    """Which languages it can be written in; empty: any."""


@dataclass(frozen=True)
class Prediction:
    """What a Judge foretold, and what came of it."""

    change: str
    predicted_gain: float | None
    measured_gain: float | None
    """Speed of the best of the turn / speed of its parent; None where nothing was accepted."""
    outcome: str
    """In words: `1.31x`, `rejected at correctness`, `no candidate`."""
    strategy: str | None = None


@dataclass(frozen=True)
class Lesson:
    """A measured edit of an earlier run: what was changed in what, and what it gave."""

    task: str
    category: str
    bottleneck: str
    language: str
    change: str
    gain: float
    """Median factor on speed, child against parent."""
    low: float
    high: float
    """Its interval."""
    strategy: str | None = None
    shift: Mapping[str, float] = field(default_factory=dict)
    """Counters that moved: name to new value / old value."""


@dataclass(frozen=True)
class Turn:
    """What a turn of the search is about; decided before anything is spent on it."""

    kind: Literal["fresh", "improve", "repair", "cross"] = "fresh"
    parent: str | None = None
    """`Candidate.id`; None for a fresh start."""
    other: str | None = None
    """The second parent of a crossing."""
    strategies: tuple[str, ...] = ()
    """Names of the strategies offered, the bandit's favourite first."""
    coder: str = ""
    """Which of several Coders writes; empty where there is one."""
    judge: str = ""
    island: int = 0
    bottleneck: str = "unknown"
    """What bound the parent when the turn was decided (`agents/bottleneck.py`): its nearest accepted
    ancestor where it was rejected, the best so far for a fresh start."""

    def to_json(self) -> dict[str, Any]:
        """For an event."""
        return {**asdict(self), "strategies": list(self.strategies)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Turn:
        """The inverse of `to_json`; older logs hold the parent only."""
        kind = "improve" if data.get("parent") else "fresh"
        return Turn(**{"kind": kind, **data, "strategies": tuple(data.get("strategies", ()))})


@dataclass(frozen=True)
class Brief:
    """All that a role is told for one turn."""

    task: Task
    device: DeviceFacts
    language: str
    round: int
    seed: int
    parent: Attempt | None = None
    advice: Advice | None = None
    history: tuple[Attempt, ...] = ()
    """Every finished attempt of this run, oldest first. A prompt shows few of them."""
    turn: Turn = Turn()
    other: Attempt | None = None
    """The second parent of a crossing."""
    best: Attempt | None = None
    """The champion of the moment; it need not be the parent."""
    strategies: tuple[Strategy, ...] = ()
    """Offered for this turn: the Judge follows one of them or none; without a Judge, the first holds."""
    predictions: tuple[Prediction, ...] = ()
    """How the Judge's earlier advice fared, oldest first."""
    lessons: tuple[Lesson, ...] = ()
    """Measured edits of other tasks' runs that fit this bottleneck, most telling first."""
    target: Target = field(default_factory=Target)
    evaluations_left: int | None = None
    """Evaluations that the budget still allows, those of the tuner included."""
    full_history: bool = False
    """Show every attempt, in full (an ablation); else few, in short."""
    full_counters: bool = False
    """Show every counter (an ablation); else the telling ones."""
    judged: bool = True
    """Whether a Judge takes part at all; where none does, the Coder reads the verdict itself."""


@dataclass(frozen=True)
class Proposal:
    """What a Coder answered. No candidates: nothing usable was in the answer (`note` says why)."""

    candidates: tuple[Candidate, ...]
    note: str
    spend: Spend = Spend()


class NoIdea(Exception):
    """The role has nothing (more) to propose for this task; the message says why and what to do."""


class Coder(Protocol):
    """Writes candidates."""

    def propose(self, brief: Brief) -> Proposal:
        """One turn. Raises NoIdea when there is nothing left to try."""
        ...


class Judge(Protocol):
    """Reads a verdict and gives one advice: a correction of what failed, a change of what did not."""

    def advise(self, brief: Brief, attempt: Attempt) -> Advice:
        """Correction advice for a rejected attempt, optimization advice for an accepted one."""
        ...
