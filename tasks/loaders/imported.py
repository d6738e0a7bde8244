"""A folder of plain task files, as `kernelwright tasks import` writes them, and anybody may.

`suite.json` names it. A folder without that is called by its own name, where it holds a task file at all.
"""

from __future__ import annotations

import json
from pathlib import Path

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import read_task, suites
from kernelwright.tasks.loaders.loader import Loaded
from kernelwright.tasks.loaders.reading import collect, counted
from kernelwright.tasks.task import Task

MARKER = "suite.json"
"""The file that makes a folder of tasks a suite: `{"suite": NAME}`."""


class Imported:
    """Each `.py` file beside `suite.json` is a task."""

    name = "imported"

    def recognises(self, root: Path) -> bool:
        """Whether the marker is there, and says a name."""
        try:
            return _suite(root) is not None
        except TaskError:
            return False

    def load(self, root: Path) -> Loaded:
        """All tasks. Raises TaskError where the marker says no name, or nothing is there."""
        suite = _suite(root)
        if suite is None:
            raise TaskError(f"{root / MARKER} must be an object with the name of the suite")

        def read(name: str) -> Task:
            return read_task(root / f"{name.partition('/')[2]}.py", name)

        return collect(suite, ((file.stem, read) for file in _files(root)), root)


class Folder:
    """Each `.py` file in a folder that nothing else is known of is a task, or is refused."""

    name = "folder"

    def recognises(self, root: Path) -> bool:
        """Whether a file there looks like a task."""
        return not (root / MARKER).exists() and any(map(_looks_like_a_task, _files(root)))

    def load(self, root: Path) -> Loaded:
        """All tasks. Raises TaskError where nothing is there."""
        own = root.resolve().name
        usable = own.replace("-", "_").isidentifier() and own not in suites()
        files = _files(root)

        def read(name: str) -> Task:
            return read_task(root / f"{name.partition('/')[2]}.py", name)

        return collect(own if usable else self.name, ((f.stem, read) for f in files), root)


def _files(root: Path) -> list[Path]:
    return sorted((f for f in root.glob("*.py") if f.name[0] not in "._"), key=counted)


def _looks_like_a_task(file: Path) -> bool:
    try:
        text = file.read_bytes()
    except OSError:
        return False
    return b"class Model" in text and b"def get_inputs" in text


def _suite(root: Path) -> str | None:
    file = root / MARKER
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TaskError(f"{file} is not JSON: {error}") from error
    name = found.get("suite") if isinstance(found, dict) else None
    return name if isinstance(name, str) and name.replace("-", "_").isidentifier() else None
