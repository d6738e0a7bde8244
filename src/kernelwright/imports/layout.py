"""The folder that an import writes: tasks, kernels for them, and what was claimed of the kernels.

DIR/tasks/suite.json, DIR/tasks/NAME.py       a suite: `kernelwright tasks list DIR/tasks`
DIR/kernels/NAME/SAMPLE.py                    `kernelwright bench DIR/tasks --kernels DIR/kernels`
DIR/claims.json                               who made each kernel, and what they say of its speed
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.loaders.imported import MARKER
from kernelwright.tasks.loaders.loader import Refusal
from kernelwright.tasks.task import Task

_UNFIT = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Kernel:
    """One kernel. `task` is the name of the task that it is for, with its suite's or without."""

    task: str
    sample: str
    text: str
    claimed: Mapping[str, float | None]
    """Speedup that its maker states, by baseline; None where they state none."""
    device: str | None = None
    """Where they measured it."""
    needs: str | None = None
    """What a machine must have to run it."""

    @property
    def file(self) -> str:
        """`NAME/SAMPLE.py`."""
        return f"{fit(self.task)}/{fit(self.sample)}.py"


@dataclass(frozen=True)
class Import:
    """All that was found. `tasks` are texts by file name, without `.py`; empty where they are elsewhere."""

    tool: str
    suite: str
    tasks: Mapping[str, str]
    kernels: Sequence[Kernel]
    refused: Sequence[Refusal]


class Results(Protocol):
    """A tool whose results are read: a module with these two functions."""

    def recognises(self, source: Path) -> bool:
        """Whether results of it lie there."""
        ...

    def read(self, source: Path, known: Mapping[str, Task] | None = None) -> Import:
        """What lies there. `known`: the tasks by name that kernels are to be named after."""
        ...


def fit(name: str) -> str:
    """A name that is fit for a file and for a task."""
    return _UNFIT.sub("_", name.replace("/", "-")).strip("-.")


def must_be_free(folder: Path) -> None:
    """Raises UsageError where anything lies in the folder already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--out {folder}: something is there already, and nothing is overwritten")


def write(found: Import, folder: Path) -> None:
    """Write it all. Raises UsageError where the folder is not free or cannot be written."""
    must_be_free(folder)
    try:
        for name, text in found.tasks.items():
            _write(folder / "tasks" / f"{fit(name)}.py", text)
        if found.tasks:
            _write(folder / "tasks" / MARKER, json.dumps({"suite": found.suite}) + "\n")
        for kernel in found.kernels:
            _write(folder / "kernels" / kernel.file, kernel.text)
        if found.kernels:
            _write(folder / "claims.json", json.dumps(_claims(found), indent=1) + "\n")
    except OSError as error:
        raise UsageError(
            f"--out {folder}: cannot write {error.filename}: {error.strerror}"
        ) from error


def _claims(found: Import) -> dict[str, object]:
    rows: dict[str, object] = {}
    for kernel in found.kernels:
        row = asdict(kernel)
        del row["text"], row["sample"]
        rows[kernel.file] = row
    return {"tool": found.tool, "kernels": rows}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
