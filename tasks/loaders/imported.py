"""A folder of plain task files, as `kernelwright tasks import` writes them, and anybody may."""

from __future__ import annotations

import json
from pathlib import Path

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import read_task
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

        files = sorted((f for f in root.glob("*.py") if f.name[0] not in "._"), key=counted)
        return collect(suite, ((file.stem, read) for file in files), root)


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
