"""What a loader of other people's suites is, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kernelwright.tasks.task import Task


@dataclass(frozen=True)
class Refusal:
    """A task of the checkout that was not loaded, with the reason in one line."""

    name: str
    reason: str


@dataclass(frozen=True)
class Loaded:
    """What a checkout holds. `suite` names it (`kernelbench`), tasks are called `suite/name`."""

    suite: str
    tasks: tuple[Task, ...]
    refused: tuple[Refusal, ...] = ()


class Loader(Protocol):
    """Reads a user's own checkout or export of a suite, changing nothing and running none of it."""

    name: str
    """As in `kernelbench:../KernelBench`."""

    def recognises(self, root: Path) -> bool:
        """Whether the folder looks like a checkout or an export of this suite."""
        ...

    def load(self, root: Path) -> Loaded:
        """All its tasks. Raises TaskError, in one line, where the folder is not what it must be."""
        ...
