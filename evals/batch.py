"""A batch: many tasks, each a unit of work of its own, and a record that is true after every one of them.

The record on disk is all that a batch knows: run again, it does what is not done yet, so a batch can be
killed anywhere. What failed through no fault of its own (a model out of reach, the machine) is tried again
by the next run; what was judged is not.

Does not cover: what a unit does (`kernelwright.commands.bench`), nor any figure (`metrics.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from kernelwright.evals import record
from kernelwright.evals.pool import Ended, MakeRunner, Pool, Runner, Unit
from kernelwright.evals.purse import Purse
from kernelwright.evals.record import BatchRecord, Device, TaskResult
from kernelwright.harness.turnstile import ROOM
from kernelwright.tasks.errors import UsageError

AGAIN = ("failed", "harness_error", "not_started")
"""States that the next run of the batch takes up again."""


class Watcher(Protocol):
    """Is told how the batch goes, for a display. Called from threads, one at a time."""

    def told(self, task: str, said: Mapping[str, Any]) -> None:
        """A unit says how it goes (`progress_lines.py` has the keys)."""
        ...

    def done(self, result: TaskResult, record: BatchRecord) -> None:
        """A task has its result, and the record on disk holds it."""
        ...


@dataclass
class Batch:
    """A folder with `batch.json`; logs and runs lie beside it."""

    folder: Path
    record: BatchRecord
    unit: Callable[[str], Unit]
    """The work for a task."""
    result: Callable[[str, Ended], TaskResult]
    """What came of it. A unit that died has a result too."""
    watcher: Watcher
    after: Callable[[BatchRecord], None] = lambda record: None
    """Called after every task, once the record is written: a summary, say."""
    runner: MakeRunner | None = None
    """Who runs the units; None: the local pool."""
    purse: Purse | None = None
    """The budget of all tasks together, where there is one."""
    stopped: bool = field(default=False, init=False)
    """Whether somebody ended it before its time."""
    _pool: Runner | None = field(default=None, init=False)

    def run(self, slots: int) -> BatchRecord:
        """Do what is left, so many tasks at once. Raises UsageError when another process is at it."""
        with _alone(self.folder):
            record.write(self.record, self.folder)
            room = str(self.folder / ".turnstile")
            make = self.runner or Pool
            self._pool = make(slots, self._told, self._ended, {ROOM: room})
            self._pool.run([self.unit(task) for task in self.left()])
            if not self.left():
                self._write(finished=_now())
        return self.record

    def left(self) -> list[str]:
        """Tasks without a result that stands, in order."""
        (device,) = self.record.devices
        return [r.task for r in self.record.on(device) if r.state in AGAIN]

    def stop(self, how: int = signal.SIGINT) -> None:
        """Start nothing more and end what runs: `SIGINT` asks, `SIGKILL` does not."""
        self.stopped = True
        if self._pool is not None:
            self._pool.stop(how)

    def _told(self, task: str, said: Mapping[str, Any]) -> None:
        if self.purse is not None:
            self.purse.told(task, said)
        self.watcher.told(task, said)

    def _ended(self, ended: Ended) -> None:
        found = self.result(ended.unit.name, ended)
        if self.purse is not None and ended.skipped is None:
            self.purse.settle(found.task, found.spent)
        others = [
            r for r in self.record.results if (r.task, r.device) != (found.task, found.device)
        ]
        self._write(results=(*others, found))
        self.after(self.record)
        self.watcher.done(found, self.record)

    def _write(self, **changes: Any) -> None:
        self.record = self.record.model_copy(update=changes)
        record.write(self.record, self.folder)


def take_up(folder: Path, fresh: BatchRecord) -> BatchRecord:
    """The record in `folder`, if there is one for the same work, else `fresh`. Raises UsageError."""
    if not (folder / record.FILE_NAME).is_file():
        return fresh
    kept = record.read(folder)
    for name in ("suite", "models", "devices", "tasks"):
        before, now = getattr(kept, name), getattr(fresh, name)
        if before != now:
            raise UsageError(
                f"{folder} holds a batch with other {name} ({_short(before)}, now {_short(now)}): "
                "give another --out"
            )
    return kept.model_copy(update={"finished": None})


def broken_off(task: str, device: Device, ended: Ended) -> TaskResult:
    """The result of a unit that left none: a bad task, or a process that died."""
    if ended.skipped is not None:
        return TaskResult(task=task, device=device, state="not_started", reason=ended.skipped)
    said = ended.last_words.removeprefix("kernelwright: ")
    if ended.status == 2:
        return TaskResult(task=task, device=device, state="task_error", reason=said)
    if ended.status in (-signal.SIGINT, -signal.SIGTERM, 130):
        return TaskResult(task=task, device=device, state="not_started", reason="interrupted")
    how = f"signal {-ended.status}" if ended.status < 0 else f"exit status {ended.status}"
    return TaskResult(task=task, device=device, state="harness_error", reason=f"{how}: {said}")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process works on a batch. The lock goes with the process, however that ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a+")
    except OSError as error:
        raise UsageError(
            f"cannot write {folder}: {error.strerror}; choose another folder with --out"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise UsageError(f"process {holder} is working on {folder}: wait for it") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
