"""What loaders share: text as task, in the order that people count in, with the reason where it is none."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import checked_tree
from kernelwright.tasks.loaders.loader import Loaded, Refusal
from kernelwright.tasks.metadata import read_metadata
from kernelwright.tasks.task import Task

Facts = Mapping[str, object]
"""Keys and values of a `TASK` dictionary."""


def text_of(path: Path) -> str:
    """The text of a file. Raises TaskError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TaskError(f"{path} is not UTF-8 text (byte {error.start})") from error


def as_task(
    name: str, path: Path, facts: Facts, *, text: str | None = None, adapter: str = ""
) -> Task:
    """The file's text with `adapter` and a literal `TASK` behind it: its own lines keep their numbers.

    Raises TaskError for what is no task, or imports what is not installed.
    """
    source = text_of(path) if text is None else text
    parts = [source.rstrip(), adapter.strip("\n"), f"TASK = {dict(facts)!r}"]
    source = "\n\n\n".join(part for part in parts if part) + "\n"
    tree = checked_tree(source, path)
    lacking = lacking_packages(tree)
    if lacking:
        raise TaskError(f"{path} imports {' and '.join(lacking)}, not installed here")
    return Task(name, source, path.resolve(), read_metadata(tree, str(path)))


def collect(suite: str, files: Iterable[tuple[str, Callable[[str], Task]]], root: Path) -> Loaded:
    """All tasks that can be made, each by what stands beside its name; the rest are refusals."""
    tasks: list[Task] = []
    refused: list[Refusal] = []
    for name, make in files:
        try:
            tasks.append(make(f"{suite}/{name}"))
        except TaskError as error:
            refused.append(Refusal(name, str(error).replace(f"{root}/", "")))
    if not tasks and not refused:
        raise TaskError(f"{root} holds no task of {suite}")
    return Loaded(suite, tuple(tasks), tuple(refused))


def lacking_packages(tree: ast.Module) -> list[str]:
    """Packages that the top level of a file imports and that are not installed. Imports nothing."""
    names = {
        name.partition(".")[0] for node in tree.body for name in _imported(node) if name
    } - sys.stdlib_module_names
    return sorted(name for name in names if importlib.util.find_spec(name) is None)


def _imported(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        yield node.module or ""


def counted(path: Path) -> tuple[object, ...]:
    """A key that sorts `2_b` before `10_a`."""
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.split(r"(\d+)", path.as_posix())
    )
