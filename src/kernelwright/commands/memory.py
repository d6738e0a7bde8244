"""`kernelwright memory`: what is kept of earlier runs for the runs of other tasks."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelwright import text
from kernelwright.agents.models.keys import redact
from kernelwright.commands.arguments import Subparsers, add_command, add_json
from kernelwright.console import Console
from kernelwright.harness.verdict import Speedup
from kernelwright.tasks.errors import UsageError

if TYPE_CHECKING:
    from kernelwright.agents.memory.store import Edit, Store

_GAIN, _TASK = 19, 24
"""Columns of a gain with its interval, and at most of a task's name."""
_LEAST = 20
"""Columns that a change gets at least."""


def add_parser(commands: Subparsers) -> None:
    """Declare `memory list`, `memory export [FILE]`, `memory path` and `memory clear`."""
    parser = add_command(commands, "memory", "show or clear what earlier runs have taught")
    add_json(parser)
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="list the measured edits, latest first (the default)")
    listing.set_defaults(run=_list)
    exporting = actions.add_parser("export", help="write them as JSON, one a line")
    exporting.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: stdout")
    exporting.set_defaults(run=_export)
    actions.add_parser("path", help="say where they lie").set_defaults(run=_path)
    actions.add_parser("clear", help="forget all of them").set_defaults(run=_clear)
    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS)


def _list(args: argparse.Namespace, console: Console) -> int:
    edits = _edits(_store())
    console.emit({"edits": [edit_json(edit) for edit in edits]})
    for line in _table(edits, shutil.get_terminal_size().columns):
        console.show(line)
    if not edits:
        console.note(f"nothing yet in {_store().path}: runs of optimize leave their edits there")
    return 0


def _export(args: argparse.Namespace, console: Console) -> int:
    edits = [edit_json(edit) for edit in _edits(_store())]
    lines = "".join(json.dumps(edit, ensure_ascii=False) + "\n" for edit in edits)
    if args.file is None:
        console.emit({"edits": edits})
        if lines:
            console.show(lines.rstrip("\n"))
        return 0
    try:
        args.file.write_text(redact(lines), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {args.file}: {error.strerror}") from error
    console.emit({"file": str(args.file.resolve()), "edits": len(edits)})
    console.note(f"{_edits_in_words(len(edits))} written to {args.file}")
    return 0


def _path(args: argparse.Namespace, console: Console) -> int:
    path = _store().path
    console.emit({"path": str(path)})
    console.show(str(path))
    return 0


def _clear(args: argparse.Namespace, console: Console) -> int:
    store = _store()
    try:
        count = store.clear()
    except OSError as error:
        raise UsageError(f"cannot clear {store.path}: {error.strerror}") from error
    console.emit({"path": str(store.path), "forgotten": count})
    what = "a file that could not be read" if count is None else _edits_in_words(count)
    console.note(f"{what} cleared from {store.path}")
    return 0


def edit_json(edit: Edit) -> dict[str, Any]:
    """An edit as programs see it (docs/json.md)."""
    when = datetime.fromtimestamp(edit.time, UTC).isoformat(timespec="seconds")
    return {**asdict(edit), "shift": dict(edit.shift), "time": when}


def _store() -> Store:
    from kernelwright.agents.memory.store import Store, default_path

    return Store(default_path())


def _edits(store: Store) -> list[Edit]:
    from kernelwright.agents.memory.store import StoreError

    try:
        return store.all()
    except StoreError as error:
        raise UsageError(str(error)) from error


def _table(edits: Sequence[Edit], columns: int) -> Iterator[str]:
    width = min(_TASK, max((len(edit.task) for edit in edits), default=0))
    bounds = max((len(edit.bottleneck) for edit in edits), default=0)
    room = max(_LEAST, columns - width - bounds - _GAIN - 9)
    for edit in edits:
        gain = text.ratio(Speedup(edit.gain, edit.low, edit.high, 0))
        task = edit.task if len(edit.task) <= width else f"…{edit.task[1 - width :]}"
        change = edit.change if len(edit.change) <= room else f"{edit.change[: room - 1]}…"
        against = "  " if edit.parent else "e "
        yield f"{task:{width}}  {edit.bottleneck:{bounds}}  {gain:>{_GAIN}} {against}{change}"
    if any(edit.parent is None for edit in edits):
        yield "e: against PyTorch eager; the others against the kernel they were made from"


def _edits_in_words(count: int) -> str:
    return "1 edit" if count == 1 else f"{count} edits"
