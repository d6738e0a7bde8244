"""The record of a batch: what was asked for, and what came of each task. Everything else is computed.

A batch writes one `batch.json` (`BatchRecord`); metrics, leaderboard, report and comparison read it and
nothing else. `BatchRecord.tasks` is the fixed denominator: a task without a result counts as not
started, never as absent. Unknown is null with a reason beside it in `reasons`, by the name of the field.

Does not cover: how a run folder becomes a result (`from_run.py`), nor any figure (`metrics.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationError, model_validator

from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.tasks.errors import UsageError

FORMAT = "kernelwright-batch"
VERSION = 1
FILE_NAME = "batch.json"

State = Literal["done", "failed", "not_started", "task_error", "harness_error"]
"""`done`: the search or the sampling came to its end, whatever it found. `failed`: it was broken off (a
model that does not answer, an interrupt, a budget that ran out before the first candidate).
`not_started`: nothing was tried yet. `task_error`, `harness_error`: no fault of whoever was judged; they
count as failures all the same, because a denominator that shrinks is no denominator."""

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Reasons = Mapping[str, str]
JudgedVerdict = Annotated[Verdict, PlainSerializer(lambda verdict: verdict.to_json())]


class _Record(BaseModel):
    """Immutable, and strict: an unknown key or a wrong type is an error, not a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Device(_Record):
    """What kernels were timed on. Results of devices that differ in kind or name are never mixed."""

    kind: str
    """`cpu` or `cuda`."""
    name: str
    threads: int | None = None


class Suite(_Record):
    """Where the tasks come from."""

    name: str
    version: str
    """Whatever tells two states of the suite apart; for bundled suites a hash of their task hashes."""


class Machine(_Record):
    """The machine of a batch: what a measured figure depends on, as a card has it."""

    environment: Mapping[str, str | None] = Field(default_factory=dict)
    """Versions and names: `kernelwright`, `python`, `torch`, `compiler`, `processor`, `system`."""
    isa: tuple[str, ...] = ()


class Source(_Record):
    """A kernel's text and its id."""

    id: str
    source: str


class Kernel(_Record):
    """The best kernel of a task that the harness accepted, faster than the reference or not."""

    candidate: str
    """`Candidate.id`."""
    source: str
    language: str
    verdict: JudgedVerdict
    confirmed: bool
    """True: the verdict is that of the final confirmation, in a clean process and against torch.compile
    too. False: it is the search's own."""
    path: str | None = None
    """Of the published file, from the folder that holds the tasks' folders: no place on anyone's disk."""
    parent: Source | None = None
    """What it was made from; null for a first idea."""
    note: str = ""
    floor_ms: Amount | None = None
    """Physical floor of one call on this device, T_SOL."""
    own_time_share: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the time of a call that is spent in the candidate's own code."""
    bundle: str | None = None
    """Path or address of the archive that `verify --bundle` judges again."""


class AttemptRow(_Record):
    """One candidate of a search, in a line."""

    candidate: str
    round: Count
    verdict: str
    """`accepted`, `rejected`, `task_error`, `harness_error`."""
    stage: str
    parent: str | None = None
    other: str | None = None
    """The second parent of a crossing."""
    language: str | None = None
    note: str = ""
    code: str | None = None
    """Code of the first error."""
    speedup: Amount | None = None
    """Against eager, as the search measured it; null for what was not accepted or not timed."""


class CurvePoint(_Record):
    """The best speedup against eager (median, as searched) after so many evaluations."""

    evaluation: Annotated[int, Field(ge=1)]
    best: Amount
    usd: Amount | None = None
    """Spent until then; null: not known."""


class Attempts(_Record):
    """How the search went."""

    n: Count = 0
    accepted: Count = 0
    curve: tuple[CurvePoint, ...] = ()
    """Only the points at which the best changed."""
    rows: tuple[AttemptRow, ...] = ()
    """May be fewer than `n`: a batch may keep those of the champion's lineage only."""

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.accepted > self.n:
            raise ValueError(f"{self.accepted} accepted of {self.n} attempts")
        return self


class Samples(_Record):
    """Independent samples for pass@k: drawn from one prompt, none knowing of another."""

    n: Count
    correct: Count

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.correct > self.n:
            raise ValueError(f"{self.correct} correct of {self.n} samples")
        return self


class Cost(_Record):
    """What a task cost, all sessions together. Null: not known."""

    usd: Amount | None = None
    usd_at_most: Amount | None = None
    tokens: Count | None = None
    evaluations: Count = 0
    wall_s: Amount | None = None


class ShapeSpeedups(_Record):
    """Speedups of the best kernel at one shape, by baseline."""

    name: str
    shown: bool
    """Whether whoever wrote the kernel knew the shape."""
    speedup: Mapping[str, Speedup | None] = Field(default_factory=dict)


class TaskResult(_Record):
    """What came of one task on one device."""

    task: str
    device: Device
    state: State
    reason: str | None = None
    """Why it ended so; needed unless it is done."""
    task_hash: str | None = None
    """SHA-256 of the task's source."""
    audit: Literal["sound", "weak", "unaudited"] = "unaudited"
    """What `tasks audit` found of exactly this source."""
    suite: str | None = None
    """Where the task is from, if not from the suite of the batch."""
    suite_version: str | None = None
    category: str | None = None
    level: int | None = None
    language: str | None = None
    """Which language was asked for; null: the model's choice."""
    models: tuple[str, ...] = ()
    seed: int | None = None
    best: Kernel | None = None
    attempts: Attempts = Attempts()
    samples: Samples | None = None
    spent: Cost = Cost()
    shapes: tuple[ShapeSpeedups, ...] = ()
    run: str | None = None
    """Folder of the run, likewise: `core-softmax/20260102-030405-a1b2`."""
    reasons: Reasons = Field(default_factory=dict)
    """Why what is null is unknown, by the field's name (`"best.floor_ms"`)."""

    @property
    def correct(self) -> bool:
        """Whether an accepted kernel stands: what every share of correct tasks counts."""
        return self.best is not None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.state != "done" and not self.reason:
            raise ValueError(f"{self.task} is {self.state} without a reason")
        if self.best is not None:
            if not self.best.verdict.accepted:
                raise ValueError(f"the best kernel of {self.task} is {self.best.verdict.verdict}")
            if self.state in ("not_started", "task_error"):
                raise ValueError(f"{self.task} is {self.state}, but has a kernel")
        return self


class TaskFacts(_Record):
    """What is known of a task before anything is done for it."""

    hash: str | None = None
    suite: str | None = None
    category: str | None = None
    level: int | None = None
    audit: Literal["sound", "weak", "unaudited"] = "unaudited"


class BatchRecord(_Record):
    """One batch: a suite, players, devices, and a result for each task that was taken up."""

    format: Literal["kernelwright-batch"] = "kernelwright-batch"
    version: Literal[1] = 1
    id: str
    command: tuple[str, ...]
    """The arguments that ask for the same again."""
    started: str
    """ISO 8601, UTC."""
    finished: str | None = None
    """Null: the batch is under way, or was broken off."""
    suite: Suite
    models: tuple[str, ...]
    """Specs of all models that took part."""
    label: str = ""
    """What a leaderboard calls it; empty: the models."""
    machine: Machine = Machine()
    devices: tuple[Device, ...]
    """Every task is due on each of them."""
    tasks: tuple[str, ...]
    """Names of all tasks of the batch: the fixed denominator."""
    about: Mapping[str, TaskFacts] = Field(default_factory=dict)
    """Facts by task, so that tasks that were never begun are in the denominators of their level and
    category too."""
    results: tuple[TaskResult, ...] = ()

    @property
    def name(self) -> str:
        """What to call it."""
        return self.label or ", ".join(self.models) or self.id

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.tasks:
            raise ValueError("a batch of no tasks")
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError("a task is named twice")
        if len(set(self.devices)) < len(self.devices) or not self.devices:
            raise ValueError("devices must be named, each once")
        known, places, seen = set(self.tasks), set(self.devices), set()
        if not self.about.keys() <= known:
            raise ValueError(f"facts about {min(self.about.keys() - known)}, no task of the batch")
        for result in self.results:
            if result.task not in known:
                raise ValueError(f"{result.task} has a result but is no task of the batch")
            if result.device not in places:
                raise ValueError(
                    f"{result.task} ran on {result.device.name}, no device of the batch"
                )
            if (result.task, result.device) in seen:
                raise ValueError(f"{result.task} has two results on {result.device.name}")
            seen.add((result.task, result.device))
        return self

    def on(self, device: Device) -> tuple[TaskResult, ...]:
        """A result for every task, in the order of `tasks`; those missing are not started."""
        found = {r.task: r for r in self.results if r.device == device}
        results = (found.get(task) or missing(task, device) for task in self.tasks)
        return tuple(self._informed(result) for result in results)

    def _informed(self, result: TaskResult) -> TaskResult:
        """The result with what the batch knows of its task, where it does not say so itself."""
        facts = self.about.get(result.task)
        if facts is None:
            return result
        told = {
            "task_hash": facts.hash,
            "suite": facts.suite,
            "category": facts.category,
            "level": facts.level,
        }
        lacking = {key: value for key, value in told.items() if getattr(result, key) is None}
        if result.audit == "unaudited":
            lacking["audit"] = facts.audit
        return result.model_copy(update=lacking)


def missing(task: str, device: Device) -> TaskResult:
    """The result of a task that nothing was done for."""
    return TaskResult(task=task, device=device, state="not_started", reason="no result yet")


def to_text(record: BatchRecord) -> str:
    """The content of `batch.json`. Half surrogate pairs, which no file can hold, become `?`."""
    text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace").decode() + "\n"


def from_text(text: str, where: str) -> BatchRecord:
    """The record in that text. Raises UsageError with one line that says what is wrong where."""
    try:
        return BatchRecord.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(f"{where} is no batch record: {_first_fault(error)}") from None


def read(path: Path) -> BatchRecord:
    """The record in a file, or in the `batch.json` of a folder. Raises UsageError."""
    file = path / FILE_NAME if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is no batch record: not UTF-8 text") from error
    return from_text(text, str(file))


def write(record: BatchRecord, path: Path) -> None:
    """Put a whole record in place, or leave the old one. `path` is the file or its folder.

    A crash at any moment leaves either record: the new one is on disk before it takes the name.
    Raises UsageError when the file cannot be written.
    """
    file = path / FILE_NAME if path.is_dir() else path
    new = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with new.open("w", encoding="utf-8") as stream:
            stream.write(to_text(record))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(file)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}; choose another place") from error
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def _first_fault(error: ValidationError) -> str:
    """The first of the faults, in a line: where it is, and what."""
    faults: list[Any] = list(error.errors(include_url=False))
    first = faults[0]
    place = ".".join(str(part) for part in first["loc"])
    if place == "version":
        said = (
            f"it has version {first['input']!r}, this kernelwright reads {VERSION}: use the other"
        )
        return said
    message = str(first["msg"]).removeprefix("Value error, ")
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{place}: {message}{more}" if place else f"{message}{more}"
