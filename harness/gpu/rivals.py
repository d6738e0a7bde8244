"""Rivals beside eager and torch.compile: started once for a task, each warm; why others cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kernelwright.harness.crew import telling_line
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.gpu.baselines import Baseline
from kernelwright.harness.worker import Worker


class Rivals:
    """Those of one task. `start` starts a worker with a baseline's source and warms it up."""

    def __init__(self, known: Iterable[Baseline], start: Callable[[Baseline], Worker]) -> None:
        self._known = tuple(known)
        self._start = start
        self._workers: dict[str, Worker] = {}
        self.reasons: dict[str, str] = {}
        """By name: why a rival is not there. What failed once is not tried again."""

    def workers(self) -> dict[str, Worker]:
        """Those that run, by name; started anew where one has died."""
        for baseline in self._known:
            name = baseline.name
            there = self._workers.get(name)
            if name in self.reasons or (there is not None and there.alive):
                continue
            if baseline.source is None:
                self.reasons[name] = baseline.reason or "not known here"
                continue
            try:
                self._workers[name] = self._start(baseline)
            except (Fault, HarnessError) as error:
                self._workers.pop(name, None)
                self.reasons[name] = f"it failed: {telling_line(str(error))}"
        return dict(self._workers)
