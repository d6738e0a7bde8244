"""What a suite was when something was measured on it: a version by content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from kernelwright.tasks.task import Task

LENGTH = 12


def suite_version(tasks: Iterable[Task]) -> str:
    """Twelve hex digits of the SHA-256 over names and hashes of all tasks, whatever their order.

    It changes when a task is added, taken away, renamed, or changed in any byte, hidden shapes
    included.
    """
    rows = sorted(f"{task.name} {task.hash}" for task in tasks)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:LENGTH]
