"""Suites whose tasks are made by code, on demand: their files would be thousands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from kernelwright.tasks.hgemm import SUITES
from kernelwright.tasks.task import Task


class Generated(Protocol):
    """A suite that makes its tasks. Equal names give equal texts, on every machine."""

    @property
    def about(self) -> str:
        """What it holds, in a few words."""
        ...

    def __len__(self) -> int:
        """How many tasks it has, without making them."""
        ...

    def tasks(self) -> list[Task]:
        """All of them, sorted by name."""
        ...

    def task(self, name: str) -> Task | None:
        """The task of that name (without the suite's); None where there is none."""
        ...


GENERATED: Mapping[str, Generated] = {suite.name: suite for suite in SUITES}
"""By name."""
