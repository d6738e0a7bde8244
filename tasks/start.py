"""The kernel that a task starts from: a candidate's file beside the task's own."""

from __future__ import annotations

import ast
from pathlib import Path

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.metadata import read_metadata
from kernelwright.tasks.task import TaskMeta


def read_start(path: Path, meta: TaskMeta) -> str | None:
    """The text of the start kernel of the task in the file `path`; None where it names none.

    It must lie in the task's folder or below it: a task brings along what is its own, and shows a
    model no other file. Raises TaskError.
    """
    if meta.start is None:
        if meta.translate_to:
            raise TaskError(
                f"{path}: TASK['translate_to'] needs TASK['start'], the kernel to translate"
            )
        return None
    return kernel_text(_beside(path, meta.start), f"{path}: TASK['start']")


def start_file(path: Path) -> Path | None:
    """Where the task in the file `path` expects its start kernel, which need not be there; None: nowhere.

    Raises TaskError for a task that cannot be read, or a place outside the task's folder.
    """
    meta = read_metadata(ast.parse(path.read_text(encoding="utf-8-sig")), str(path))
    return None if meta.start is None else _beside(path, meta.start)


def _beside(path: Path, name: str) -> Path:
    folder = path.resolve().parent
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        raise TaskError(f"{path}: TASK['start'] leaves the task's folder: {name}")
    return file


def kernel_text(file: Path, where: str) -> str:
    """The text of a candidate's file. Raises TaskError, which begins with `where`."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TaskError(f"{where}: cannot read {file.name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TaskError(f"{where}: {file.name} is not UTF-8 text") from error
    if "ModelNew" not in text:
        raise TaskError(f"{where}: {file.name} defines no ModelNew, as a kernel does")
    return text
