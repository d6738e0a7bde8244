"""What an evaluator elsewhere is asked, and what it answers.

On one machine they are JSON between parent and child at the ends of an unnamed socket (`codec.py`): the child
may hold the task of a stranger. Ray pickles them; in its cluster everybody who can reach it is trusted
(docs/batch.md). Neither end ever runs a candidate (the harness does, caged, in processes of its own). What a
candidate says is inside verdicts, as text and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from kernelwright.agents.roles import Target
from kernelwright.harness.counterexample import Probe
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.realise import InputFacts
from kernelwright.tasks.errors import TaskError, UsageError

What = Literal["open", "evaluate", "counted", "fingerprint", "probe", "learn"]
_FAULTS: Mapping[str, type[Exception]] = {
    "TaskError": TaskError,
    "UsageError": UsageError,
    "HarnessError": HarnessError,
}
_LOST = "Lost"
FAULTS = tuple(_FAULTS.values())
"""What an evaluator may raise and go on."""


@dataclass(frozen=True)
class Request:
    """A method of the evaluator, with its arguments. `open` comes first, with the task."""

    what: What
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Reply:
    """What came of it: a value, or a fault by name with its message."""

    value: Any = None
    fault: str | None = None
    message: str = ""

    @staticmethod
    def of(error: Exception) -> Reply:
        """The reply that raises this fault again where it is read."""
        kind = next(name for name, known in _FAULTS.items() if isinstance(error, known))
        return Reply(fault=kind, message=str(error))

    @staticmethod
    def lost(message: str) -> Reply:
        """The reply of one who stands between, for an evaluator that is gone."""
        return Reply(fault=_LOST, message=message)

    @property
    def known(self) -> bool:
        """Whether it is a value, or a fault that can be raised again."""
        return self.fault is None or self.fault == _LOST or self.fault in _FAULTS

    def result(self) -> Any:
        """The value. Raises the fault, or Lost."""
        if self.fault == _LOST:
            raise Lost(self.message)
        if self.fault is not None:
            raise _FAULTS[self.fault](self.message)
        return self.value


@dataclass(frozen=True)
class Opened:
    """What an evaluator tells of itself once it has taken up its task."""

    facts: DeviceFacts
    target: Target
    shapes: tuple[str, ...]
    inputs: tuple[InputFacts, ...]
    counterexamples: tuple[Probe, ...]
    environment: Mapping[str, str | None]
    """Versions and names of the machine that it runs on."""


class Lost(Exception):
    """Whoever was asked is gone: the process, its machine, or the way to it."""


class Channel(Protocol):
    """The way to one evaluator."""

    def call(self, request: Request) -> Reply:
        """What it answers. Raises Lost."""
        ...

    def close(self) -> None:
        """End it."""
        ...
