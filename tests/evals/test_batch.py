"""A batch is what its record says: killed anywhere, it goes on; what was judged is not judged again."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kernelwright.evals import record as records
from kernelwright.evals.batch import Batch, broken_off, take_up
from kernelwright.evals.pool import Ended, Unit
from kernelwright.evals.record import BatchRecord, Device, Suite, TaskResult
from kernelwright.tasks.errors import UsageError

CPU = Device(kind="cpu", name="Some Processor", threads=2)
TASKS = ("s/a", "s/b", "s/c")


def fresh(**changes: Any) -> BatchRecord:
    return BatchRecord(
        id="batch",
        command=("kernelwright", "bench", "s"),
        started="2026-01-01T00:00:00+00:00",
        suite=Suite(name="s", version="1"),
        models=("builtin",),
        devices=(CPU,),
        tasks=TASKS,
    ).model_copy(update=changes)


class Watched:
    def __init__(self) -> None:
        self.finished: list[str] = []

    def told(self, task: str, said: Mapping[str, Any]) -> None:
        """Nothing."""

    def done(self, result: TaskResult, record: BatchRecord) -> None:
        self.finished.append(result.task)


class FakePool:
    """Ends every unit with the status that `statuses` has for it; a KeyError is a kill amid the batch."""

    statuses: Mapping[str, int]

    def __init__(self, slots: int, told: Any, ended: Any, environment: Mapping[str, str]) -> None:
        self._ended = ended

    def run(self, units: list[Unit]) -> None:
        for unit in units:
            self._ended(Ended(unit, self.statuses[unit.name], ""))


def result(task: str, ended: Ended) -> TaskResult:
    if ended.status:
        return broken_off(task, CPU, ended)
    return TaskResult(task=task, device=CPU, state="done", reason="nothing better")


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, **statuses: int) -> list[str]:
    """What a batch worked on in one session."""
    monkeypatch.setattr("kernelwright.evals.batch.Pool", FakePool)
    FakePool.statuses = {f"s/{name}": status for name, status in statuses.items()}
    watched = Watched()

    def unit(task: str) -> Unit:
        log = folder / f"{task[-1]}.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text("kernelwright: what went wrong\n")
        return Unit(task, (), log)

    batch = Batch(folder, take_up(folder, fresh()), unit, result, watched)
    try:
        batch.run(1)
    except KeyError:
        assert records.read(folder).finished is None
    return watched.finished


def test_a_batch_that_was_killed_goes_on_and_tries_again_what_was_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "batch"
    assert run(folder, monkeypatch, a=0) == ["s/a"]  # killed before s/b ended
    assert run(folder, monkeypatch, b=-signal.SIGKILL, c=2) == ["s/b", "s/c"]
    kept = {r.task: r for r in records.read(folder).results}
    assert kept["s/b"].state == "harness_error" and "signal 9" in str(kept["s/b"].reason)
    assert kept["s/c"].state == "task_error" and kept["s/c"].reason == "what went wrong"
    assert records.read(folder).finished is None
    assert run(folder, monkeypatch, b=0) == ["s/b"]
    assert records.read(folder).finished is not None
    assert run(folder, monkeypatch) == []


def test_an_interrupted_task_has_not_been_tried(tmp_path: Path) -> None:
    unit = Unit("s/a", (), tmp_path / "log")
    unit.log.write_text("")
    for status in (130, -signal.SIGINT):
        assert broken_off("s/a", CPU, Ended(unit, status, "")).state == "not_started"


def test_another_batch_in_the_folder_is_refused(tmp_path: Path) -> None:
    records.write(fresh(), tmp_path)
    with pytest.raises(UsageError, match="other tasks"):
        take_up(tmp_path, fresh(tasks=("s/a",)))
    with pytest.raises(UsageError, match="other suite"):
        take_up(tmp_path, fresh(suite=Suite(name="s", version="2")))


def test_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernelwright.evals.batch.Pool", FakePool)
    refused: list[str] = []

    def second(task: str) -> Unit:
        with pytest.raises(UsageError, match="is working on") as error:
            Batch(tmp_path, fresh(), second, result, Watched()).run(1)
        refused.append(str(error.value))
        return Unit(task, (), tmp_path / "log")

    FakePool.statuses = dict.fromkeys(TASKS, 0)
    Batch(tmp_path, fresh(), second, result, Watched()).run(1)
    assert len(refused) == len(TASKS)
