"""The casebook: probes that broke a candidate once, kept for good as tests of that task.

One JSON file for each task, named by the task's hash, in `counterexamples/` of `$KERNELWRIGHT_DATA`, else
of `$XDG_DATA_HOME/kernelwright`, else of `~/.local/share/kernelwright`. `KERNELWRIGHT_COUNTEREXAMPLES=off`
neither reads nor writes it. Cases that a bundled task ships with stand beside it: `core/NAME.cases.json`.
Candidates run where none of this is in reach; what is read is checked field by field and never run.
"""

from __future__ import annotations

import fcntl
import json
import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kernelwright.harness.counterexample import Probe
from kernelwright.tasks.task import Task

MOST_KEPT = 64
"""Probes of a task; the oldest go first."""
_MOST_BYTES = 1 << 20
_SWITCH = "KERNELWRIGHT_COUNTEREXAMPLES"


class BrokenCasebook(UserWarning):
    """A file of counterexamples that cannot be used; work goes on without it."""


def folder() -> Path | None:
    """Where counterexamples of this user lie; None: switched off."""
    if os.environ.get(_SWITCH, "").lower() in ("off", "0", "no", "false"):
        return None
    own = os.environ.get("KERNELWRIGHT_DATA")
    if own:
        return Path(own).expanduser() / "counterexamples"
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "kernelwright" / "counterexamples"


def known(task: Task) -> tuple[Probe, ...]:
    """All counterexamples for exactly this source: those that ship with it, then this user's.

    A file that cannot be used is a warning (BrokenCasebook) and no more.
    """
    found: dict[str, Probe] = {}
    beside = task.path.with_suffix(".cases.json") if task.path else None
    here = folder()
    for path in (beside, here / f"{task.hash}.json" if here else None):
        if path is not None:
            found.update((probe.id, probe) for probe in _usable(path, task))
    return tuple(found.values())


def keep(task: Task, probes: Sequence[Probe]) -> None:
    """Remember counterexamples for this user, beside those that are there.

    A file that cannot be read is set aside as `*.broken`; one that cannot be written is a warning.
    """
    here = folder()
    if here is None or not probes:
        return
    path = here / f"{task.hash}.json"
    try:
        here.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                before = read(path, task)
            except ValueError as error:
                path.replace(path.with_suffix(".broken"))
                _warn(path, f"{error}; it is set aside as {path.with_suffix('.broken').name}")
                before = ()
            merged = {probe.id: probe for probe in (*before, *probes)}
            write(path, task, list(merged.values())[-MOST_KEPT:])
    except OSError as error:
        _warn(path, str(error.strerror))


def read(path: Path, task: Task) -> tuple[Probe, ...]:
    """The probes of a file; none where there is no such file.

    Raises ValueError, in a line, for a file that is no casebook of this task, OSError where it cannot be
    read.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return ()
    if len(raw) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES} bytes")
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from error
    cases = data.get("cases") if isinstance(data, dict) else None
    if not isinstance(cases, list) or len(cases) > MOST_KEPT:
        raise ValueError(f"no list `cases` of at most {MOST_KEPT}")
    if data.get("task_sha256") != task.hash:
        raise ValueError("it is for another version of the task")
    return tuple(Probe.from_json(case) for case in cases)


def write(path: Path, task: Task, probes: Iterable[Probe]) -> None:
    """Write a casebook in one step. Raises OSError."""
    data: dict[str, Any] = {
        "task": task.name,
        "task_sha256": task.hash,
        "cases": [probe.to_json() for probe in probes],
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def _usable(path: Path, task: Task) -> tuple[Probe, ...]:
    try:
        return read(path, task)
    except (ValueError, OSError) as error:
        _warn(path, str(error))
        return ()


def _warn(path: Path, reason: str) -> None:
    message = f"counterexamples in {path} are not used: {reason}"
    warnings.warn(message, BrokenCasebook, stacklevel=3)
