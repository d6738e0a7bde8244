"""KernelBench-Hard: a folder for each problem with `reference.py`, `shapes.py` and `problem.yaml`.

Its shapes set constants of the reference by name, in capitals where the file has them so. Its formulas of
operations and bytes are kept; a tolerance becomes the coarsest of our classes that is not coarser than it.
Reading `problem.yaml` needs PyYAML.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.loaders.loader import Loaded
from kernelwright.tasks.loaders.reading import as_task, collect, counted, text_of
from kernelwright.tasks.metadata import assigned_names
from kernelwright.tasks.task import Task

_CLASSES = (("bf16", 1.6e-2), ("tf32", 2e-3), ("fp32", 5e-5))
"""Of `harness/precision.py`, the coarsest first, with what they allow relative to the value."""


class KernelBenchHard:
    """A checkout of KernelBench-Hard."""

    name = "kernelbench-hard"

    def recognises(self, root: Path) -> bool:
        """Whether there are problems with a `problem.yaml`."""
        return any(True for _ in _folders(root))

    def load(self, root: Path) -> Loaded:
        """All problems. Raises TaskError without PyYAML."""
        if importlib.util.find_spec("yaml") is None:
            raise TaskError(f"{root}: reading problem.yaml needs PyYAML: pip install pyyaml")
        files = ((folder.name, partial(_task, folder=folder)) for folder in _folders(root))
        return collect(self.name, files, root)


def _folders(root: Path) -> Iterator[Path]:
    yield from sorted((p.parent for p in root.glob("problems/*/problem.yaml")), key=counted)


def _task(name: str, folder: Path) -> Task:
    problem = _problem(folder / "problem.yaml")
    path = folder / "reference.py"
    if not path.is_file():
        status = f" (its status is {problem['status']})" if "status" in problem else ""
        raise TaskError(f"{folder} has no reference.py{status}")
    text = text_of(path)
    constants = _constants(text, path)
    shapes = _known(_shapes(folder / "shapes.py"), constants)
    own = {name: constants[name] for row in shapes for name in row}
    facts: dict[str, object] = {
        "title": str(problem.get("display_name", folder.name)),
        "category": _operator(text, path) or "uncategorised",
        "shapes": [row for row in shapes if row != {name: own[name] for name in row}],
    }
    tolerance = problem.get("tolerance")
    if isinstance(tolerance, dict) and tolerance:
        facts["tolerance"] = _class(tolerance, folder)
    for key, formula in (("operations", "flops_formula"), ("bytes_moved", "bytes_formula")):
        if isinstance(problem.get(formula), str):
            facts[key] = _renamed(problem[formula], constants)
    return as_task(name, path, facts, text=text)


def _problem(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text_of(path))
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise TaskError(f"{path} is not YAML: {said}") from error
    if not isinstance(found, dict):
        raise TaskError(f"{path} holds no table")
    return found


def _shapes(path: Path) -> list[dict[str, int]]:
    """The literal `SHAPES`; none where there is no such file."""
    if not path.is_file():
        return []
    found = _literal(path, text_of(path), "SHAPES")
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise TaskError(f"{path} has no literal list SHAPES")
    return [{k: v for k, v in row.items() if type(v) is int} for row in found]


def _constants(text: str, path: Path) -> dict[str, object]:
    tree = _tree(path, text)
    return {name: _literal(path, text, name) for name in assigned_names(tree.body)}


def _known(rows: list[dict[str, int]], constants: Mapping[str, object]) -> list[dict[str, int]]:
    """The rows in the file's constants, none twice. What is no constant (how to fill inputs) is left out."""
    found = [
        {_constant(k, constants): v for k, v in row.items() if _constant(k, constants) in constants}
        for row in rows
    ]
    return [row for i, row in enumerate(found) if row and row not in found[:i]]


def _constant(name: str, constants: Mapping[str, object]) -> str:
    return name if name in constants else name.upper()


def _renamed(formula: str, constants: Mapping[str, object]) -> str:
    return re.sub(r"[A-Za-z_]\w*", lambda found: _constant(found[0], constants), formula)


def _class(tolerance: Mapping[object, object], folder: Path) -> str | None:
    """None: it is finer than any, so that the outputs' type says what can be asked for."""
    rows = [v.values() if isinstance(v, dict) else [v] for v in tolerance.values()]
    try:
        allowed = max(float(str(v)) for row in rows for v in row)  # YAML reads 1e-5 as text
    except ValueError as error:
        raise TaskError(f"{folder / 'problem.yaml'}: tolerance holds what is no number") from error
    return next((name for name, coarse in _CLASSES if coarse <= allowed), None)


def _operator(text: str, path: Path) -> str | None:
    found = _literal(path, text, "OP_TYPE")
    return found if isinstance(found, str) else None


def _literal(path: Path, text: str, name: str) -> object:
    """The literal that a file assigns to a name at its top level; None where it does not."""
    for node in _tree(path, text).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(t, ast.Name) and t.id == name for t in targets):
            assert isinstance(node, ast.Assign)
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                return None
    return None


def _tree(path: Path, text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise TaskError(f"{path}:{error.lineno} is not Python: {error.msg}") from error
