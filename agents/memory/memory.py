"""Memory: what a run recalls from others, and what it leaves to them.

It helps where it can and never stands in the way: a store that cannot be used is one warning, and a
search without memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kernelwright.agents.bottleneck import bottleneck
from kernelwright.agents.memory.edits import measured_edits
from kernelwright.agents.memory.recall import Wanted, choose, lessons_json
from kernelwright.agents.memory.store import Store, StoreError
from kernelwright.agents.roles import Attempt
from kernelwright.agents.run_state import RunState
from kernelwright.agents.settings import Settings
from kernelwright.harness.device import DeviceFacts
from kernelwright.tasks.task import Task

Result = TypeVar("Result")


class Memory:
    """The measured edits of all runs on this machine. No method raises for a broken store."""

    def __init__(self, path: Path, *, same_suite: bool = True) -> None:
        """`same_suite`: whether lessons may come from the suite of the task at hand."""
        self._store = Store(path)
        self._same_suite = same_suite
        self._broken = False

    @staticmethod
    def of(settings: Settings) -> Memory | None:
        """The memory that the settings ask for."""
        if settings.memory is None:
            return None
        return Memory(Path(settings.memory), same_suite=settings.memory_same_suite)

    def recalled(
        self, task: Task, parent: Attempt | None, language: str, device: DeviceFacts
    ) -> dict[str, Any]:
        """Lessons for a kernel made from this parent, as the event `recall:N` keeps them."""

        def look_up() -> dict[str, Any]:
            wanted = Wanted(task, bottleneck(parent), self._same_suite)
            return lessons_json(choose(self._store.alike(device.kind, language), wanted))

        return self._tried(look_up, lessons_json(()))

    def remember(self, state: RunState, task: Task, device: DeviceFacts) -> int:
        """Keep what this run has measured; a run that goes on replaces what it left before."""
        return self._tried(lambda: self._store.add(measured_edits(state, task, device)), 0)

    def _tried(self, work: Callable[[], Result], otherwise: Result) -> Result:
        if self._broken:
            return otherwise
        try:
            return work()
        except StoreError as error:
            self._broken = True
            logging.getLogger("kernelwright").warning("no memory of other runs: %s", error)
            return otherwise
