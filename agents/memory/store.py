"""The store of measured edits: one SQLite file for all runs of a user, shared by several processes.

It lies in `$KERNELWRIGHT_DATA`, else in `$XDG_DATA_HOME/kernelwright`, else in
`~/.local/share/kernelwright`. No source is kept: what was changed, in words, and what it gave. A connection
lives for one operation only, so that a run of hours holds nothing.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from kernelwright.agents.models.keys import redacted

Method = Literal["direct", "ratio", "eager"]
SCHEMA_VERSION = 1
_KEPT = 50_000
"""Edits at the most; the oldest go first."""
_PATIENCE_S = 5.0
"""How long to wait for another process that writes."""


@dataclass(frozen=True)
class Edit:
    """One change to a kernel, with its measured effect. `run` and `candidate` name it."""

    run: str
    candidate: str
    """`Candidate.id` of what the Coder wrote; its effect is that of its best tuned variant."""
    parent: str | None
    """What it was made from; None: from nothing, and measured against eager."""
    task: str
    task_hash: str
    suite: str
    """What stands before the last slash of the task's name; empty for a file of the user's."""
    category: str
    bottleneck: str
    language: str
    device_kind: str
    device: str
    change: str
    strategy: str | None
    gain: float
    """Median factor on speed, against the parent."""
    low: float
    high: float
    """Its interval, 95%."""
    method: Method
    """How the gain was had: see `edits.py`."""
    time: float
    """When the run began, in seconds since the epoch."""
    shift: Mapping[str, float] = field(default_factory=dict)
    """Counters that moved: name to new value / old value."""

    @property
    def telling(self) -> float:
        """The size of the effect that is exceeded with 97.5%, as |log gain|; 0: none is proven."""
        return max(0.0, math.log(self.low), -math.log(self.high))


class StoreError(Exception):
    """The store cannot be used; the message says why and what to do."""


_NAMES = tuple(f.name for f in fields(Edit))
_TYPES = {"gain": "REAL", "low": "REAL", "high": "REAL", "time": "REAL"}
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS edits(
    {", ".join(f'"{name}" {_TYPES.get(name, "TEXT")}' for name in _NAMES)},
    telling REAL NOT NULL, PRIMARY KEY(run, candidate));
CREATE INDEX IF NOT EXISTS alike ON edits(device_kind, language, telling);
"""


def default_path() -> Path:
    """Where the store lies unless the user says otherwise."""
    own = os.environ.get("KERNELWRIGHT_DATA")
    if own:
        return Path(own).expanduser() / "memory.db"
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "kernelwright" / "memory.db"


class Store:
    """Measured edits on disk. Every method raises StoreError for a file that cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, edits: Iterable[Edit]) -> int:
        """Keep these edits; one that is there already is replaced. Returns how many."""
        rows = [_row(edit) for edit in edits]
        marks = ", ".join("?" * (len(_NAMES) + 1))
        with self._open() as db:
            db.executemany(f"INSERT OR REPLACE INTO edits VALUES ({marks})", rows)
            db.execute(
                "DELETE FROM edits WHERE rowid IN (SELECT rowid FROM edits"
                " ORDER BY time DESC, rowid DESC LIMIT -1 OFFSET ?)",
                (_KEPT,),
            )
        return len(rows)

    def alike(self, device_kind: str, language: str) -> Iterator[Edit]:
        """Edits on such a device in that language, most telling first."""
        if not self.path.exists():
            return
        with self._open() as db:
            yield from _edits(
                db,
                "WHERE device_kind = ? AND language = ? ORDER BY telling DESC, time DESC, candidate",
                (device_kind, language),
            )

    def all(self) -> list[Edit]:
        """Every edit, latest first."""
        if not self.path.exists():
            return []
        with self._open() as db:
            return list(_edits(db, "ORDER BY time DESC, candidate", ()))

    def clear(self) -> int | None:
        """Forget everything. Returns how many edits there were; None: the file could not be read."""
        if not self.path.exists():
            return 0
        try:
            with self._open() as db:
                count: int = db.execute("SELECT COUNT(*) FROM edits").fetchone()[0]
                db.execute("DELETE FROM edits")
            return count
        except StoreError:
            for tail in ("", "-wal", "-shm"):
                Path(f"{self.path}{tail}").unlink(missing_ok=True)
            return None

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.closing(sqlite3.connect(self.path, timeout=_PATIENCE_S)) as db:
                self._prepare(db)
                with db:
                    yield db
        except OSError as error:
            raise StoreError(f"cannot use {self.path}: {error.strerror}") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self.path} cannot be used: {error}; `kernelwright memory clear` begins anew"
            ) from error

    def _prepare(self, db: sqlite3.Connection) -> None:
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was written by a newer kernelwright (format {version}): update this one"
            )
        if version < SCHEMA_VERSION:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT"
            )


def _row(edit: Edit) -> tuple[Any, ...]:
    data: Any = redacted({**asdict(edit), "shift": json.dumps(dict(edit.shift))})
    return (*(data[name] for name in _NAMES), edit.telling)


def _edits(db: sqlite3.Connection, clause: str, values: tuple[str, ...]) -> Iterator[Edit]:
    names = ", ".join(f'"{name}"' for name in _NAMES)
    for row in db.execute(f"SELECT {names} FROM edits {clause}", values):
        data = dict(zip(_NAMES, row, strict=True))
        yield Edit(**{**data, "shift": json.loads(data["shift"])})
