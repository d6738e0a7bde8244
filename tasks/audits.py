"""What audits found out about tasks, kept by the hash of the task's source.

The results for a bundled suite ship in its folder (`core/audit.json`); those of any other task are
kept in the cache folder. An entry whose hash is not the task's own is stale: it says nothing.
`harness/audit.py` makes the records. Reading them needs neither torch nor the task to run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.task import Task

AuditVerdict = Literal["sound", "weak"]
FILE = "audit.json"


@dataclass(frozen=True)
class MutantFound:
    """One mutant that was not killed. `line` in the task's file, None where there is none."""

    name: str
    kind: str
    line: int | None = None


@dataclass(frozen=True)
class AuditRecord:
    """The audit of one task. `mutants` were tried: killed, equivalent or survived; others left out."""

    task: str
    hash: str
    verdict: AuditVerdict
    mutants: int
    killed: int
    equivalent: tuple[MutantFound, ...]
    """They compute what the reference computes, to 13 digits: no weakness."""
    survivors: tuple[MutantFound, ...]
    """They compute something else and pass every check."""
    left_out: int
    seed: int
    date: str
    """UTC, `2026-01-31`."""

    def to_json(self) -> dict[str, Any]:
        """The object of one task in `kernelwright tasks audit --json`."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> AuditRecord:
        """The inverse. Raises KeyError or TypeError for what is no record."""
        found = {k: tuple(MutantFound(**m) for m in data[k]) for k in ("equivalent", "survivors")}
        return AuditRecord(**{**data, **found})


def recorded(task: Task) -> AuditRecord | None:
    """The latest audit of exactly this source, or None."""
    own = _folder() / f"{task.hash}.json"
    if own.is_file():
        return _read(own).get(task.hash)
    if task.path is None:
        return None
    return _read(task.path.parent / FILE).get(task.hash)


def keep(record: AuditRecord) -> None:
    """Remember a record for this user. Raises UsageError when the folder cannot be written."""
    write(_folder() / f"{record.hash}.json", [record])


def write(path: Path, records: Iterable[AuditRecord]) -> None:
    """Write records as the object of `tasks audit --json`. Raises UsageError."""
    text = json.dumps(summary(records), indent=1, ensure_ascii=False) + "\n"
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def summary(records: Iterable[AuditRecord]) -> dict[str, Any]:
    """The one object for a list of records."""
    records = list(records)
    weak = sum(record.verdict == "weak" for record in records)
    return {
        "tasks": [record.to_json() for record in records],
        "sound": len(records) - weak,
        "weak": weak,
    }


def _folder() -> Path:
    cache_root = os.environ.get("KERNELWRIGHT_CACHE") or Path.home() / ".cache" / "kernelwright"
    return Path(cache_root) / "audits"


def _read(path: Path) -> dict[str, AuditRecord]:
    """Records of a file by hash; none where there is no such file, or it is no list of records."""
    try:
        return _parsed(path, path.stat().st_mtime_ns)
    except OSError:
        return {}


@cache
def _parsed(path: Path, changed: int) -> dict[str, AuditRecord]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["tasks"]
        records = [AuditRecord.from_json(entry) for entry in found]
    except (ValueError, KeyError, TypeError):
        return {}
    return {record.hash: record for record in records}
