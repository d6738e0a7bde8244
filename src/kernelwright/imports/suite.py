"""A suite as plain files that its user owns, with the solutions of its definitions as kernels."""

from __future__ import annotations

from pathlib import Path

from kernelwright.imports.layout import Import, Kernel, fit
from kernelwright.tasks.foreign import find
from kernelwright.tasks.load import load_suite
from kernelwright.tasks.loaders.definitions import Definitions, Made, definition_files, make
from kernelwright.tasks.loaders.definitions_schema import Malformed
from kernelwright.tasks.loaders.loader import Refusal
from kernelwright.tasks.loaders.solutions import adapt, read_solution, solution_files


def read(spec: str) -> Import:
    """The tasks of a suite; of one that brings solutions, those too. Raises TaskError."""
    loaded = load_suite(spec)
    tasks = {task.name.partition("/")[2]: task.source for task in loaded.tasks}
    other = find(spec)
    kernels: list[Kernel] = []
    refused = list(loaded.refused)
    if other is not None and isinstance(other.loader, Definitions) and not other.form:
        kernels, reasons = _solutions(other.root, other.loader.name)
        refused += reasons
    return Import(loaded.suite, fit(loaded.suite), tasks, kernels, refused)


def _solutions(root: Path, suite: str) -> tuple[list[Kernel], list[Refusal]]:
    """Candidates for the tasks that are made of the same checkout, and why not the others."""
    made: dict[str, Made] = {}
    for file in definition_files(root):
        try:
            one = make(file, root, suite)
        except Malformed:
            continue
        made.setdefault(one.definition.name, one)
    kernels: list[Kernel] = []
    refused: list[Refusal] = []
    for file in solution_files(root):
        named = f"solution {file.relative_to(root)}"
        try:
            solution = read_solution(file)
            if solution.definition not in made:
                raise Malformed(f"its definition {solution.definition} is not loaded")
            task = made[solution.definition]
            adapted = adapt(solution, task)
        except Malformed as error:
            refused.append(Refusal(named, str(error)))
            continue
        name = task.task.name.partition("/")[2]
        kernels.append(
            Kernel(name, solution.name, adapted.text, {"eager": None}, needs=adapted.needs)
        )
    return kernels, refused
