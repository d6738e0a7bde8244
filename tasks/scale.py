"""A task of others at a size for a CPU: its own text with smaller numbers.

Read off the text alone, so that equal texts give equal tasks on every machine. Batch sizes shrink first and
furthest, other sizes above 12 are divided by a power of two, the same for all, until what `get_inputs` makes
and what the layers hold is small. What divided another size divides it afterwards, and odd stays odd.
Numbers are changed where the file assigns constants; those inside `get_inputs` only where that is not enough.
Whether a task still runs is found out by running it (`harness/vetting.py`), not here.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kernelwright.tasks.estimate import estimate
from kernelwright.tasks.load import parse_source
from kernelwright.tasks.task import Task

LEAST = 12
"""Numbers up to here are kernel sizes, strides, groups, dimensions: they stay."""
FLOOR = 8
"""No number above is made smaller than that."""
MOST_ELEMENTS = 1 << 16
"""Of all inputs together; they take four bytes each, and the judge makes dozens of them."""
MOST_WORK = 1 << 24
"""Input elements times the largest number that the model is made with."""
_MOST_WEIGHTS = 1 << 18
_WITHIN_CALLS = 1 << 22
"""Elements above which numbers written inside `get_inputs` are changed as well."""
_STEPS = 16
_BATCH = re.compile(r"batch|^bs$", re.I)
_OURS = frozenset({"TASK", "CONFIG", "CASE", "_CASES"})


@dataclass(frozen=True)
class _Number:
    """One integer in the text. Columns count bytes."""

    value: int
    line: int
    begin: int
    end: int
    batch: bool


def scaled(task: Task, name: str) -> Task:
    """The task as `name`, with numbers that a CPU can do; itself where they are small already.

    Raises TaskError for what is not Python.
    """
    tree = parse_source(task.source, str(task.path or task.name))
    constants = _apart([n for node in tree.body for n in _assigned(node)])
    source = _fitting(task.source, constants)
    found = estimate(source)
    if found.elements is not None and found.elements > _WITHIN_CALLS:
        inside = [
            n for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "get_inputs"
            for n in _numbers(node, batch=False)
        ]  # fmt: skip
        source = _fitting(task.source, [*constants, *inside])
    return replace(task, name=name, source=source)


def _apart(numbers: list[_Number]) -> list[_Number]:
    """A batch of the very size of something else may have to be: then it is a size like others."""
    others = {n.value for n in numbers if not n.batch}
    return [replace(n, batch=n.batch and n.value not in others) for n in numbers]


def _fitting(source: str, numbers: list[_Number]) -> str:
    """The text after the fewest steps that make it small, or that change anything of its size."""
    best, least = source, math.inf
    for step in range(_STEPS):
        trial = _rewritten(source, numbers, step)
        found = estimate(trial)
        if found.elements is None:
            return _rewritten(source, numbers, _blind(numbers))
        work = found.elements * max(found.largest, 1)
        if found.elements <= MOST_ELEMENTS and work <= MOST_WORK and found.weights <= _MOST_WEIGHTS:
            return trial
        if work < least:
            best, least = trial, work
    return best


def _blind(numbers: list[_Number]) -> int:
    """Steps after which no number is above 32, for a file whose inputs cannot be foreseen."""
    largest = max((n.value for n in numbers if not n.batch), default=1)
    return max(1, math.ceil(math.log2(max(largest, 1) / (2 * LEAST)))) if largest > 2 * LEAST else 1


def _rewritten(source: str, numbers: list[_Number], step: int) -> str:
    if step == 0:
        return source
    new = shrunk({n.value for n in numbers if not n.batch}, step)
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    for n in sorted(numbers, key=lambda n: (n.line, n.begin), reverse=True):
        value = _batch(n.value, step) if n.batch else new[n.value]
        line = lines[n.line - 1]
        lines[n.line - 1] = line[: n.begin] + str(value).encode() + line[n.end :]
    return b"".join(lines).decode()


def shrunk(values: set[int], step: int) -> Mapping[int, int]:
    """Each value divided by 2 to the `step`, at least about 8, with the divisors that it had."""
    new: dict[int, int] = {}
    for value in sorted(values):
        if value <= LEAST:
            new[value] = value
            continue
        parts = [new[v] for v in new if v > 1 and value % v == 0]
        unit = math.lcm(*parts)
        if unit > value:
            unit = 1
        if value % 2 == 0 and unit % 2:
            unit *= 2
        target = max(value >> step, FLOOR)
        found = max(math.ceil(FLOOR / unit), round(target / unit)) * unit
        if value % 2 and found % 2 == 0:
            found += unit
        new[value] = min(found, value)
    return new


def _batch(value: int, step: int) -> int:
    """A quarter each step, at least 2, or 3 of an odd one."""
    least = 2 + value % 2
    if value <= least:
        return value
    smaller = max(value >> 2 * step, least)
    return smaller + (value - smaller) % 2 if smaller < value else value


def _assigned(node: ast.stmt) -> Iterator[_Number]:
    """The integers of a module-level assignment, those within tuples and sums too."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    if _OURS.isdisjoint(names):
        if isinstance(node.value, ast.Tuple) and isinstance(targets[0], ast.Tuple):
            for target, value in zip(targets[0].elts, node.value.elts, strict=False):
                yield from _numbers(value, batch=bool(_BATCH.search(ast.unparse(target))))
        else:
            yield from _numbers(node.value, batch=any(_BATCH.search(name) for name in names))


def _numbers(node: ast.AST, *, batch: bool) -> Iterator[_Number]:
    """Integers below a node. Values of a dictionary are called as their keys are."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            named = isinstance(key, ast.Constant) and bool(_BATCH.search(str(key.value)))
            yield from _numbers(value, batch=batch or named)
    elif isinstance(node, ast.Subscript):
        yield from _numbers(node.value, batch=batch)  # an index is no size
    elif isinstance(node, ast.BinOp) and isinstance(
        node.op, ast.FloorDiv | ast.Div | ast.Mod | ast.Pow
    ):
        yield from _numbers(node.left, batch=batch)
    elif isinstance(node, ast.Constant):
        if type(node.value) is int and node.value > 1 and node.end_col_offset is not None:
            yield _Number(node.value, node.lineno, node.col_offset, node.end_col_offset, batch)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _numbers(child, batch=batch)
