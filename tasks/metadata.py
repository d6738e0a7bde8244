"""Reads the literal `TASK = {...}` of a task file from its syntax tree, and checks every key."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kernelwright.tasks.arithmetic import parse_expression
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.task import TaskMeta

LANGUAGES = ("cpp", "cuda", "triton")
"""What a start kernel can be translated to."""


def read_metadata(tree: ast.Module, where: str) -> TaskMeta:
    """The `TaskMeta` that a file declares; the defaults when it declares none.

    Raises TaskError with the line for an unknown key, a wrong type, or what is not a literal.
    """
    table = _task_literal(tree, where)
    if table is None:
        return TaskMeta()
    constants = set(assigned_names(tree.body))
    values: dict[str, Any] = {}
    for key, value in zip(table.keys, table.values, strict=True):
        place = f"{where}:{value.lineno}"
        name = key.value if isinstance(key, ast.Constant) else None
        if not isinstance(name, str) or name not in _READERS:
            raise TaskError(f"{place}: TASK has no key {name!r}: it may hold {', '.join(_READERS)}")
        try:
            literal = ast.literal_eval(value)
        except ValueError as error:
            raise TaskError(f"{place}: TASK[{name!r}] must be a literal") from error
        try:
            values[name] = _READERS[name](literal)
        except TypeError as error:
            raise TaskError(f"{place}: TASK[{name!r}] must be {error}") from error
        unknown = sorted(_mentioned(name, values[name], place) - constants)
        if unknown:
            raise TaskError(
                f"{place}: TASK[{name!r}] names {unknown[0]}, which the file never assigns"
            )
    return TaskMeta(**values)


def assigned_names(body: list[ast.stmt]) -> Iterator[str]:
    """Names that module-level statements assign (`A = 1`, `A, B = 1, 2`, `A: int = 1`)."""
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
        elif not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for block in ("body", "orelse", "finalbody"):
                yield from assigned_names(getattr(node, block, []))


def _task_literal(tree: ast.Module, where: str) -> ast.Dict | None:
    for node in tree.body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(t, ast.Name) and t.id == "TASK" for t in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            if not isinstance(node.value, ast.Dict):
                raise TaskError(f"{where}:{node.lineno}: TASK must be a literal dictionary {{...}}")
            return node.value
    return None


def _mentioned(name: str, value: Any, place: str) -> set[str]:
    """The constants of the file that a value refers to."""
    if name in ("shapes", "hidden", "full"):
        return {constant for variant in value for constant in variant}
    if name in ("operations", "bytes_moved") and value is not None:
        try:
            tree = parse_expression(value)
        except ValueError as error:
            raise TaskError(f"{place}: TASK[{name!r}]: {error}") from error
        return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    return set()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a string")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _optional_integer(value: object) -> int | None:
    if value is not None and not _is_integer(value):
        raise TypeError("an integer or None")
    assert value is None or isinstance(value, int)
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("True or False")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise TypeError("a list of strings")
    return tuple(value)


def _modes(value: object) -> tuple[str, ...]:
    modes = _texts(value)
    if not modes or len(set(modes)) < len(modes) or not set(modes) <= {"eval", "train"}:
        raise TypeError('a list of "eval", "train" or both')
    return modes


def _timing(value: object) -> str:
    if value not in ("offline", "server"):
        raise TypeError('"offline" or "server"')
    return str(value)


def _relative_path(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.endswith(".py")):
        raise TypeError("the name of a .py file beside the task")
    return value


def _languages(value: object) -> tuple[str, ...]:
    languages = (value,) if isinstance(value, str) else _texts(value)
    if not languages or not set(languages) <= set(LANGUAGES):
        raise TypeError(f"one or more of {', '.join(LANGUAGES)}")
    return languages


def _variants(value: object) -> tuple[Mapping[str, int], ...]:
    if not isinstance(value, list | tuple) or not all(_is_variant(v) for v in value):
        raise TypeError("a list of dictionaries from a constant's name to an integer")
    return tuple(value)


def _is_variant(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(k, str) and _is_integer(v) for k, v in value.items()
    )


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_READERS: Mapping[str, Callable[[object], Any]] = {
    "title": _text,
    "category": _text,
    "level": _optional_integer,
    "tolerance": _optional_text,
    "dtypes": _texts,
    "backward": _truth,
    "modes": _modes,
    "shapes": _variants,
    "hidden": _variants,
    "full": _variants,
    "timing": _timing,
    "operations": _optional_text,
    "bytes_moved": _optional_text,
    "start": _relative_path,
    "translate_to": _languages,
}
