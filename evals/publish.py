"""Writes a leaderboard: `leaderboard.json`, `.csv`, `.md` and `index.html`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kernelwright.agents.models.keys import redacted
from kernelwright.evals.board import board, entries
from kernelwright.evals.record import BatchRecord, from_text, to_text
from kernelwright.evals.tables import to_csv, to_markdown
from kernelwright.evals.webpage import page
from kernelwright.tasks.errors import UsageError

TITLE = "Kernel leaderboard"


class Written(NamedTuple):
    """The board, and the files that tell it."""

    board: dict[str, Any]
    files: list[Path]


def publish(records: Sequence[BatchRecord], out: Path, title: str = TITLE) -> Written:
    """Write the four files into a folder. Raises UsageError where they cannot be written.

    Keys are taken out of all of them, sources of kernels included: they are shown, not run.
    """
    clean = [_redacted(record) for record in records]
    found = board(clean)
    texts = {
        "leaderboard.json": json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "leaderboard.csv": to_csv(found),
        "leaderboard.md": to_markdown(found),
        "index.html": page(found, entries(clean), title),
    }
    return Written(found, [write_text(out / name, text) for name, text in texts.items()])


def report(record: BatchRecord, file: Path) -> Path:
    """One page for one optimization: it opens with its task. Raises UsageError."""
    clean = _redacted(record)
    found = entries([clean])
    single = (found[0].id, clean.tasks[0]) if len(clean.tasks) == 1 else None
    title = clean.tasks[0] if single else clean.name
    return write_text(file, page(board([clean]), found, title, single))


def write_text(file: Path, text: str) -> Path:
    """Put a whole file in place, or leave the old one. Raises UsageError."""
    new = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}; choose another place") from error
    return file


def _redacted(record: BatchRecord) -> BatchRecord:
    return from_text(json.dumps(redacted(json.loads(to_text(record)))), record.id)
