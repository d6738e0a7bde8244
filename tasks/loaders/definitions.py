"""Loaders of flashinfer-bench and SOL-ExecBench: a folder of definitions with their workloads.

A FlashInfer Trace has `definitions/`, `workloads/` and `solutions/` side by side; SOL-ExecBench has a
folder for each problem with `definition.json` and `workload.jsonl`, or everything of it in `reference.py`.
Neither checkout is changed, and nothing in it is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import parse_source
from kernelwright.tasks.loaders.definitions_schema import (
    Definition,
    Json,
    Malformed,
    Workload,
    read_definition,
    read_workload,
)
from kernelwright.tasks.loaders.definitions_sizes import Sizes, choose
from kernelwright.tasks.loaders.definitions_text import task_text, why_not
from kernelwright.tasks.loaders.loader import Loaded, Refusal
from kernelwright.tasks.metadata import read_metadata
from kernelwright.tasks.task import Task

_KINDS = ("random", "scalar", "custom")
_DEPTHS = tuple("*/" * depth for depth in range(7))
_SHALLOW = _DEPTHS[:4]
"""What is searched to recognise a folder, which may be anybody's."""
_UNFIT = re.compile(r"[^\w.-]+")
"""What does not belong into a task's name."""


@dataclass(frozen=True)
class Made:
    """A definition and the task made of it."""

    definition: Definition
    sizes: Sizes
    task: Task
    left: tuple[Refusal, ...]
    """Workloads that the task does not carry."""


@dataclass
class Definitions:
    """Either loader: they differ in their name, and in how their folder is recognised."""

    name: str
    package: str
    """The Python package that a checkout of it holds."""
    layout: Literal["trace", "problems"]

    def recognises(self, root: Path) -> bool:
        """Whether the folder is a checkout of the suite, or an export of the layout that it uses."""
        if self.layout == "trace":
            return (root / self.package).is_dir() or _is_trace(root)
        return (root / "src" / self.package).is_dir() or any(_problems(root, _SHALLOW))

    def load(self, root: Path) -> Loaded:
        """A task for each definition. Raises TaskError where there is none."""
        tasks: dict[str, Task] = {}
        refused: list[Refusal] = []
        for file in definition_files(root):
            named = f"{self.name}/{_stem(file)}"
            try:
                made = make(file, root, self.name)
            except Malformed as error:
                refused.append(Refusal(named, str(error)))
                continue
            known = tasks.setdefault(made.task.name, made.task)
            if known is made.task:
                refused += made.left
            elif known.source != made.task.source:
                refused.append(
                    Refusal(f"{made.task.name} in {file.parent.name}", "another of that name")
                )
        if not tasks and not refused:
            raise TaskError(
                f"{root} holds no definition: neither definitions/*.json nor definition.json"
            )
        return Loaded(
            self.name, tuple(sorted(tasks.values(), key=lambda t: t.name)), tuple(refused)
        )


def make(file: Path, root: Path, suite: str) -> Made:
    """The task of one definition's file. Raises Malformed where none can be made."""
    definition = read_definition(read_object(file))
    reason = why_not(definition)
    if reason:
        raise Malformed(reason)
    name = f"{suite}/{_UNFIT.sub('_', definition.name)}"
    carried, left = _carried(definition, _workloads(file, root, definition), name)
    if not carried and left:
        raise Malformed(f"none of its {len(left)} workloads can be carried: {left[0].reason}")
    sizes = choose(definition, carried)
    text = task_text(definition, sizes, carried)
    try:
        meta = read_metadata(parse_source(text, name), name)
    except TaskError as error:
        raise Malformed(str(error)) from error
    return Made(definition, sizes, Task(name, text, None, meta), tuple(left))


def definition_files(root: Path) -> list[Path]:
    """Files that hold a definition, in a stable order."""
    traces = [
        f for folder in _traces(root) for f in sorted((folder / "definitions").rglob("*.json"))
    ]
    return [*traces, *_problems(root)]


def read_object(file: Path) -> Json:
    """A JSON file that holds one object. Raises Malformed."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Malformed(f"{file.name} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Malformed(f"{file.name} holds no object")
    return found


def _carried(
    definition: Definition, workloads: Sequence[Workload], name: str
) -> tuple[list[Workload], list[Refusal]]:
    """Workloads that the task can take up, and why not the others."""
    carried: list[Workload] = []
    left: list[Refusal] = []
    for one in workloads:
        odd = next((f"{k} is of kind {v!r}" for k, v in one.kinds.items() if v not in _KINDS), None)
        if "safetensors" in one.kinds.values():
            which = next(k for k, v in one.kinds.items() if v == "safetensors")
            odd = (
                f"{which} is read from a safetensors file, whose numbers no fresh input can replace"
            )
        elif odd is None and "custom" in one.kinds.values() and not definition.custom_inputs:
            odd = "its inputs are custom, and the definition names no function that makes them"
        elif odd is None and carried and one.scalars != carried[0].scalars:
            odd = "other plain numbers than the first workload: a task has one value for each"
        if odd is None:
            carried.append(one)
        else:
            left.append(Refusal(f"{name}, workload {one.id}", odd))
    return carried, left


def _workloads(file: Path, root: Path, definition: Definition) -> list[Workload]:
    """The workloads of a definition. Raises Malformed."""
    beside = file.parent / "workload.jsonl"
    if file.name == "definition.json":
        files = [beside] if beside.is_file() else []
    else:
        trace = next(p for p in file.parents if p.name == "definitions").parent
        files = sorted((trace / "workloads").rglob(f"{definition.name}.jsonl"))
    found: list[Workload] = []
    for one in files:
        for number, line in enumerate(one.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                found.append(_workload(line, f"{one.name}:{number}"))
    if not found:
        raise Malformed("it has no workloads")
    return found


def _workload(line: str, place: str) -> Workload:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise Malformed(f"{place} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise Malformed(f"{place} holds no object")
    try:
        return read_workload(data)
    except Malformed as error:
        raise Malformed(f"{place}: {error}") from error


def _is_trace(folder: Path) -> bool:
    return (folder / "definitions").is_dir() and (folder / "workloads").is_dir()


def _traces(root: Path) -> Iterator[Path]:
    """Folders that are traces; a checkout keeps them a few folders deep. Its tests are no tasks."""
    for depth in _DEPTHS:
        for definitions in sorted(root.glob(depth + "definitions")):
            if _is_trace(definitions.parent) and "tests" not in definitions.relative_to(root).parts:
                yield definitions.parent


def _problems(root: Path, depths: Sequence[str] = _DEPTHS) -> Iterator[Path]:
    for depth in depths:
        for file in sorted(root.glob(depth + "definition.json")):
            if "tests" not in file.relative_to(root).parts:
                yield file


def _stem(file: Path) -> str:
    return file.parent.name if file.name == "definition.json" else file.stem


SOL_EXECBENCH = Definitions("sol-execbench", "sol_execbench", "problems")
FLASHINFER_BENCH = Definitions("flashinfer-bench", "flashinfer_bench", "trace")
