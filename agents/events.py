"""The event log `run.db`: everything that costs, written down before and after it happens.

Append-only, one SQLite file a run, every event on disk before the next step starts. It is the one
truth of a run: attempts, champion and spend are folded from it (`agents/run_state.py`). Kinds:

    run        once: what was asked for
    session    each time that a process takes up the run; key: its number
    decided    a choice that must come out the same after a resume (`choose:3`, `round:3`)
    started    before work that costs (`judge:3`, `propose:3`, `evaluate:<id>`, `confirm:<id>`)
    finished   its result; at most once for a key
    failed     it ended with an error, and what that cost; the key may start again
    price      what a model is billed at in this run; key: its spec
    reserved   before a request to a model, with the most that it can cost (`propose:3#7`)
    settled    what the request came to, whatever came of it; at most once for a key
    stopped    the search ended; key: the reason

Sources are kept once, in a table of their own by content hash; events name them by id.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from kernelwright.agents.models.keys import redacted
from kernelwright.harness.candidate import Candidate
from kernelwright.tasks.errors import UsageError

Data = Mapping[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events(
    seq INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
    data TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS once ON events(kind, key)
    WHERE kind IN ('run', 'decided', 'finished', 'settled');
CREATE TABLE IF NOT EXISTS candidates(
    id TEXT PRIMARY KEY, language TEXT NOT NULL, normalised TEXT NOT NULL, source TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Event:
    """One line of the log. `time` is in seconds since the epoch."""

    seq: int
    time: float
    kind: str
    key: str
    data: Data


@dataclass(frozen=True)
class Stored:
    """A candidate of the log, with the hash by which near-copies are found."""

    candidate: Candidate
    normalised: str


class EventLog:
    """The log of one run, held by one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Open or create `folder/run.db`.

        Raises UsageError when the folder cannot be written, the file is no event log, or another
        process holds the run.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _hold(folder / "lock")
        except OSError as error:
            raise UsageError(
                f"cannot write to {folder}: {error.strerror}; choose another"
            ) from None
        self.path = folder / "run.db"
        try:
            self._db = _connect(self.path)
        except sqlite3.Error as error:
            self._lock.close()
            raise UsageError(f"{self.path} cannot be used as an event log: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the run back."""
        self._db.close()
        self._lock.close()

    def append(
        self, kind: str, key: str, data: Data, candidates: Iterable[Candidate] = ()
    ) -> Event:
        """Write one event, and the sources it names, in one transaction that is on disk on return.

        Keys are taken out of `data`; sources stand as they are, their ids are their hashes.
        Raises sqlite3.IntegrityError for a second `finished`, `decided` or `settled` of one key.
        """
        now = time.time()
        text = json.dumps(redacted(data), ensure_ascii=False, sort_keys=True)
        rows = [(c.id, c.language, c.normalised, c.source) for c in candidates]
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO candidates VALUES (?, ?, ?, ?)", rows)
            row = self._db.execute(
                "INSERT INTO events(time, kind, key, data) VALUES (?, ?, ?, ?)",
                (now, kind, key, text),
            )
        assert row.lastrowid is not None
        return Event(row.lastrowid, now, kind, key, json.loads(text))

    def events(self) -> list[Event]:
        """All of them, oldest first."""
        return _events(self._db)

    def candidates(self) -> dict[str, Stored]:
        """Every source that an event names, by `Candidate.id`."""
        return _candidates(self._db)


def read(path: Path) -> tuple[list[Event], dict[str, Stored]]:
    """Events and candidates of a log that may be in use: for reports. Raises UsageError."""
    if not path.is_file():
        raise UsageError(f"no event log at {path}: give the folder of a run")
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return _events(db), _candidates(db)
        finally:
            db.close()
    except sqlite3.Error as error:
        raise UsageError(f"{path} is no event log: {error}") from None


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, check_same_thread=False)  # one at a time, whatever the thread
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(_SCHEMA)
    return db


@contextmanager
def all_kept() -> Iterator[None]:
    """Within this nothing is collected: what is read from a log stays, and the collector would go

    through all of it again and again (half of the time that a run of 10,000 candidates takes to read).
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@all_kept()
def _events(db: sqlite3.Connection) -> list[Event]:
    rows = db.execute("SELECT seq, time, kind, key, data FROM events ORDER BY seq")
    return [Event(seq, at, kind, key, json.loads(data)) for seq, at, kind, key, data in rows]


@all_kept()
def _candidates(db: sqlite3.Connection) -> dict[str, Stored]:
    rows = db.execute("SELECT id, language, normalised, source FROM candidates")
    return {
        key: Stored(Candidate(source, language), normalised)
        for key, language, normalised, source in rows
    }


def _hold(path: Path) -> IO[str]:
    """An exclusive lock that the kernel gives back when this process ends, however it ends."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise UsageError(
            f"process {holder} is working on {path.parent}: wait for it, or choose another run"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
