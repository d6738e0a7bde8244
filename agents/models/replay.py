"""`record:FILE:SPEC` writes every answer of a model down; `replay:FILE` gives them again.

One JSON object a line, found by its label (`propose:3`), so that a resumed run gets the right ones.
Where a label occurs twice, the call was made again after a crash: the later one counts.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from kernelwright.agents.models.base import (
    UNMETERED,
    Message,
    Meter,
    Model,
    RecordingEnded,
    Reply,
    Schema,
    Usage,
)
from kernelwright.agents.models.keys import redacted
from kernelwright.tasks.errors import UsageError


class RecordingModel:
    """Another model, with every answer appended to a file."""

    def __init__(self, inner: Model, path: Path) -> None:
        """Raises UsageError when the file cannot be written."""
        self.spec = f"record:{path}:{inner.spec}"
        self._inner = inner
        self._path = path
        self._lock = _lock_of(path)
        try:
            _drop_half_line(path)
        except OSError as error:
            raise UsageError(f"cannot record to {path}: {error.strerror}") from None

    def ask(
        self,
        messages: Sequence[Message],
        *,
        label: str,
        schema: Schema | None = None,
        meter: Meter = UNMETERED,
    ) -> Reply:
        """The other model's answer. Raises ModelError as that one does."""
        reply = self._inner.ask(messages, label=label, schema=schema, meter=meter)
        line = {
            "label": label,
            "model": self._inner.spec,
            "messages": [asdict(m) for m in messages],
            "reply": asdict(reply),
        }
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(redacted(line)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return reply


_locks: dict[Path, threading.Lock] = {}


def _lock_of(path: Path) -> threading.Lock:
    """One lock a file: Coder and Judge may be recorded in the same one, from several threads."""
    return _locks.setdefault(path.resolve(), threading.Lock())


def _drop_half_line(path: Path) -> None:
    """Take off what a killed process left unfinished at the end, so that the next line stands."""
    with path.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


class ReplayModel:
    """Answers that were recorded; they cost nothing now."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError for a file that is missing or no recording."""
        self.spec = f"replay:{path}"
        self._path = path
        try:
            lines = path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot replay {path}: {error}") from None
        self._replies: dict[str, Reply] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                data = json.loads(line)
                kept = data["reply"]
                self._replies[data["label"]] = Reply(
                    text=kept["text"],
                    stop=kept["stop"],
                    reasoning=kept["reasoning"],
                    usage=Usage(**kept["usage"]),
                    model=kept["model"],
                )
            except (ValueError, KeyError, TypeError) as error:
                # A run that was killed may have left half a line at the end.
                if number == len(lines) and isinstance(error, ValueError):
                    break
                raise UsageError(f"{path}, line {number}: not a recorded answer") from None

    def ask(
        self,
        messages: Sequence[Message],
        *,
        label: str,
        schema: Schema | None = None,
        meter: Meter = UNMETERED,
    ) -> Reply:
        """The recorded answer. Raises RecordingEnded where there is none."""
        if label not in self._replies:
            raise RecordingEnded(f"{self.spec}: the recording ends before {label}")
        return self._replies[label]
