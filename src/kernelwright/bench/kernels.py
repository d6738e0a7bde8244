"""Kernels that are there already, and the tasks they are for.

A file is for the task whose name stands in its path: `softmax.py`, `core-softmax.py`, `softmax__2.py`,
`core/softmax/anything.py`, `core-softmax/<run>/champion/kernel.py`. Several files for a task are samples.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.task import Task

_SAMPLE = re.compile(r"__[\w.-]+$")
_RUN_FILES = {"task"}
"""Python files of a run's folder that are no kernels."""


@dataclass(frozen=True)
class Kernels:
    """The files found, by task."""

    folder: Path
    of: Mapping[str, tuple[Path, ...]]
    strangers: tuple[Path, ...]
    """Files that no task's name stands in."""

    @property
    def digest(self) -> str:
        """Whatever tells two sets of kernels apart."""
        files = [file for files in self.of.values() for file in files]
        digests = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
        return "\n".join(digests)


def kernels_below(folder: Path, tasks: Sequence[Task]) -> Kernels:
    """The kernels for these tasks below a folder. Raises UsageError where there are none."""
    if not folder.is_dir():
        raise UsageError(f"--kernels {folder}: no such folder")
    found: dict[str, list[Path]] = {}
    strangers: list[Path] = []
    for file in sorted(folder.rglob("*.py")):
        if file.stem in _RUN_FILES or file.name.startswith(("_", ".")):
            continue
        task = _task_of(file.relative_to(folder), tasks)
        if task is None:
            strangers.append(file)
        else:
            found.setdefault(task.name, []).append(file)
    if not found:
        raise UsageError(
            f"--kernels {folder}: no file there is named after a task of the suite: "
            "TASK.py, TASK__SAMPLE.py, or a folder TASK with files in it"
        )
    return Kernels(folder, {k: tuple(v) for k, v in found.items()}, tuple(strangers))


def _task_of(path: PurePath, tasks: Sequence[Task]) -> Task | None:
    """The task whose name stands in a path; the innermost part that names one decides."""
    parts = [_SAMPLE.sub("", path.stem), *reversed(path.parent.parts)]
    for part in parts:
        for task in tasks:
            if part in (task.name.replace("/", "-"), task.name.rpartition("/")[2]):
                return task
    return None
