"""What a user points at, as batch records: records, folders of batches, runs, and folders of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kernelwright.evals.from_run import batch_record, is_run, players, task_result
from kernelwright.evals.record import FILE_NAME, BatchRecord, Device, read
from kernelwright.tasks.errors import UsageError


class Collected(NamedTuple):
    """The records, and what a user should know of how they were found."""

    records: list[BatchRecord]
    notes: list[str]


def collect(paths: Sequence[str]) -> Collected:
    """One record for each batch, and one for the runs of the same players on the same device.

    A folder is looked through for batches, then for runs; where it holds several runs of a task by the
    same players the latest counts, be it better or worse. Raises UsageError for what is neither.
    """
    records: list[BatchRecord] = []
    runs: list[Path] = []
    notes: list[str] = []
    for given in paths:
        path = Path(given).expanduser()
        if not path.exists():
            raise UsageError(f"no such file or folder: {given}")
        if path.is_file() or (path / FILE_NAME).is_file():
            records.append(read(path))
        elif is_run(path):
            runs.append(path)
        else:
            batches = sorted(file.parent for file in path.rglob(FILE_NAME))
            found = sorted({file.parent for file in path.rglob("run.db")} - set(batches))
            found = [run for run in found if is_run(run) and not _within(run, batches)]
            if not batches and not found:
                raise UsageError(f"{given} holds neither a {FILE_NAME} nor a run of optimize")
            records += [read(batch) for batch in batches]
            latest = _latest(found)
            if len(latest) < len(found):
                notes.append(
                    f"{given}: the latest run of each task counts, {len(latest)} of {len(found)}"
                )
            runs += latest
    groups: dict[tuple[tuple[str, ...], Device], list[Path]] = {}
    for run in runs:
        groups.setdefault((players(run), task_result(run).device), []).append(run)
    records += [batch_record(group) for group in groups.values()]
    return Collected(_once(records), notes)


def _within(run: Path, batches: Sequence[Path]) -> bool:
    """Whether a run belongs to a batch, whose record tells of it already."""
    return any(batch in run.parents for batch in batches)


def _latest(runs: Sequence[Path]) -> list[Path]:
    """The latest run of each task by the same players; names of runs begin with their time."""
    found: dict[tuple[object, ...], Path] = {}
    for run in sorted(runs, key=lambda run: run.name):
        result = task_result(run)
        found[(players(run), result.task, result.device)] = run
    return sorted(found.values())


def _once(records: Sequence[BatchRecord]) -> list[BatchRecord]:
    """Each batch once; raises UsageError where two different ones bear the same id."""
    found: dict[str, BatchRecord] = {}
    for record in records:
        if found.setdefault(record.id, record) != record:
            raise UsageError(f"two different batches bear the id {record.id}: give one of them")
    return list(found.values())
