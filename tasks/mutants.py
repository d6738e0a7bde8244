"""Mutants of a reference: its own source with one term dropped, one constant changed.

A task is sound when a judge that accepts the reference rejects each of them. They are made from the
syntax tree of what runs in `forward`: every function of the file but `get_inputs`, `get_init_inputs`
and `__init__`. Nothing is run here; most mutants of a call raise or change the shape, and are
killed by that.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kernelwright.tasks.load import parse_source
from kernelwright.tasks.task import Task

_NOT_FORWARD = {"__init__", "get_inputs", "get_init_inputs"}
_BOUNDARY: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}  # fmt: skip
SMALL = 1e-2
"""A positive constant below is taken for an epsilon."""
_KEPT = 56


@dataclass(frozen=True)
class SourceMutant:
    """The whole text of a mutated task file. `line` is that of the change in the task's own file."""

    name: str
    line: int
    source: str


def source_mutants(task: Task) -> list[SourceMutant]:
    """All mutants of the task's source, dropped terms first, changed constants last.

    Raises TaskError for what is not Python.
    """
    tree = parse_source(task.source, str(task.path or task.name))
    constants, modules = _numbers(tree), _modules(tree)
    terms: list[SourceMutant] = []
    numbers: list[SourceMutant] = []
    seen = {ast.unparse(tree)}
    for place in _places(tree):
        for new in _replacements(place.node, constants):
            if isinstance(new, ast.Name) and new.id in modules:
                continue
            source = place.put(tree, new)
            if source in seen:
                continue
            seen.add(source)
            name = _name(place.node, new)
            found = SourceMutant(name, place.line, source)
            (numbers if isinstance(new, ast.Constant) else terms).append(found)
    return terms + numbers


def changed(number: int | float) -> list[int | float]:
    """Other values for a constant: without it, a neutral one, one that is a little off."""
    if isinstance(number, int):
        others: list[int | float] = [number + 1, 0]
    elif 0 < number < SMALL:
        others = [0.0, 1e-3]
    else:
        others = [0.0, 1.0, number * 1.001]
    return [other for other in others if other != number]


@dataclass(frozen=True)
class _Place:
    """Where a node hangs: `owner.field`, or `owner.field[index]`."""

    owner: ast.AST
    field: str
    index: int | None
    node: ast.AST
    line: int

    def put(self, tree: ast.Module, new: ast.AST) -> str:
        """The text of `tree` with `new` here; the tree itself stays as it was."""
        try:
            self._set(new)
            return ast.unparse(ast.fix_missing_locations(tree))
        finally:
            self._set(self.node)

    def _set(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.owner, self.field, node)
        else:
            getattr(self.owner, self.field)[self.index] = node


def _places(tree: ast.Module) -> Iterator[_Place]:
    """Every node inside the functions that `forward` may reach."""
    for function in _functions(tree.body):
        for i, statement in enumerate(function.body):
            docstring = isinstance(statement, ast.Expr) and isinstance(
                statement.value, ast.Constant
            )
            if not docstring:
                yield _Place(function, "body", i, statement, statement.lineno)
                yield from _below(statement, statement.lineno)


def _functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name not in _NOT_FORWARD:
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body)


def _below(node: ast.AST, line: int) -> Iterator[_Place]:
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.arguments):
        return
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                at = getattr(child, "lineno", line)
                yield _Place(node, field, index, child, at)
                yield from _below(child, at)


def _replacements(node: ast.AST, constants: dict[str, int | float]) -> Iterator[ast.AST]:
    """What may stand in the place of a node with something of it left out."""
    if isinstance(node, ast.BinOp):
        yield from (node.left, node.right)
    elif isinstance(node, ast.BoolOp):
        yield from node.values
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.AugAssign):
        yield ast.Pass()
        yield ast.Assign([node.target], node.value, lineno=node.lineno)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _BOUNDARY:
        yield ast.Compare(node.left, [_BOUNDARY[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.If):
        yield ast.If(ast.Constant(True), node.body, node.orelse)
        yield ast.If(ast.Constant(False), node.body, node.orelse)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value)
    elif isinstance(node, ast.Name) and node.id in constants and isinstance(node.ctx, ast.Load):
        yield from (ast.Constant(value) for value in changed(constants[node.id]))


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    """One of its arguments, or what the method is called on; or the call without one keyword."""
    if isinstance(node.func, ast.Attribute):
        yield node.func.value
    for argument in node.args:
        if not isinstance(argument, ast.Starred | ast.Constant):
            yield argument
    for i in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, [*node.keywords[:i], *node.keywords[i + 1 :]])


def _constants(value: Any) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield from (ast.Constant(other) for other in changed(value))


def _numbers(tree: ast.Module) -> dict[str, int | float]:
    """Module-level constants that are plain numbers, `A, B = 1, 2` included."""
    found: dict[str, int | float] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            for name, value in zip(names, values, strict=False):
                if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                    number = value.value
                    if isinstance(number, int | float) and not isinstance(number, bool):
                        found[name.id] = number
    return found


def _modules(tree: ast.Module) -> set[str]:
    """Names that mean no value of the computation."""
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    names = [alias for node in imports for alias in node.names]
    return {"self", *((alias.asname or alias.name).partition(".")[0] for alias in names)}


def _name(old: ast.AST, new: ast.AST) -> str:
    """What was done, as a line for people."""
    if isinstance(old, ast.Call) and isinstance(new, ast.Call) and old.func is new.func:
        lost = next(k for k in old.keywords if k not in new.keywords)
        return f"{_short(old.func)}(...) without {lost.arg}={_short(lost.value)}"
    return f"{_short(old)} -> {_short(new)}"


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
    return text if len(text) <= _KEPT else f"{text[: _KEPT - 3]}..."
