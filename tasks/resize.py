"""A task at other sizes: the same file with other values of its module-level constants."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.task import Task


def resized(task: Task, sizes: Mapping[str, int], name: str) -> Task:
    """The task as `name`, each constant of `sizes` assigned anew behind the line that assigns it.

    Its shapes, shown and hidden, stay what they are; `TASK` itself is not touched. Raises TaskError
    for a constant that the file does not assign at its top level.
    """
    tree = ast.parse(task.source)
    lines = task.source.splitlines(keepends=True)
    left = set(sizes)
    for node in reversed(tree.body):
        hit = [n for n in assigned(node) if n in sizes]
        if hit and node.end_lineno is not None:
            new = "".join(f"{n} = {sizes[n]}\n" for n in hit)
            lines.insert(node.end_lineno, new)
            left -= set(hit)
    if left:
        raise TaskError(f"{task.path or task.name} assigns no constant {min(left)}")
    return replace(task, name=name, source="".join(lines))


def assigned(node: ast.stmt) -> list[str]:
    """Names that a statement assigns: `A = 1`, `A, B = 1, 2`, `A: int = 1`."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        targets = [node.target]
    return [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
