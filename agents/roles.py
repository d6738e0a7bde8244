"""The roles, and the few nouns that pass between them.

A Coder proposes candidates, a Judge reads a verdict and gives one advice. Both are Protocols:
played by a language model with the prompts of `agents/prompts/`, or by the built-in optimizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
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
    """Reads a verdict and gives one advice."""

    def advise(self, brief: Brief, attempt: Attempt) -> Advice:
        """Correction advice for a rejected attempt, optimization advice for an accepted one."""
        ...
