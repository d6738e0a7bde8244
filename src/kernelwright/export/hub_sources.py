"""The C++ sources of a kernel, found without running it.

`cpp(...)` is followed where its arguments are literals, sums of module-level literals, the values of `tuned`,
or the parameter of a function that is called with such. Anything else makes the sources unknown: None.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from kernelwright.harness.inline_cpp import build_flags, tuned

_CALLS = ("cpp", "tuned")


class CppSource(NamedTuple):
    """One call of `cpp`."""

    text: str
    flags: tuple[str, ...]


def cpp_sources(kernel: str) -> list[CppSource] | None:
    """Every source that the kernel has built; None where that cannot be told, and where it has none."""
    tree = ast.parse(kernel)
    known: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name):
                known.pop(target.id, None)
                try:
                    known[target.id] = _value(node.value, known)
                except ValueError:
                    continue
    try:
        found = [source for call, env in _calls(tree, known) for source in [_source(call, env)]]
    except ValueError:
        return None
    return list(dict.fromkeys(found)) or None


def without_carried(kernel: str, module: str) -> str:
    """The kernel's file with `cpp` and `tuned` from another module than the builder that it carries."""
    for node in ast.parse(kernel).body:
        first = node.body[0] if isinstance(node, ast.Try) else None
        if isinstance(first, ast.ImportFrom) and first.module == "kernelwright.inline":
            lines = kernel.split("\n")
            names = ", ".join(ast.unparse(alias) for alias in first.names)
            assert node.end_lineno is not None
            lines[node.lineno - 1 : node.end_lineno] = [f"from {module} import {names}"]
            return "\n".join(lines)
    raise ValueError("the kernel carries no builder")


def _calls(tree: ast.Module, known: Mapping[str, Any]) -> Iterator[tuple[ast.Call, dict[str, Any]]]:
    """Each call of `cpp` with the names that it sees; a call in a function once for each of its calls."""
    skipped = {id(n) for t in tree.body if isinstance(t, ast.Try) for n in ast.walk(t)}
    inner: set[int] = set()
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        calls = [n for n in ast.walk(function) if _is_call(n, "cpp")]
        inner |= {id(n) for n in calls}
        names = [a.arg for a in function.args.args]
        for outer in ast.walk(tree):
            if calls and isinstance(outer, ast.Call) and _is_call(outer, function.name):
                if len(outer.args) != len(names) or outer.keywords:
                    raise ValueError
                given = [_value(a, known) for a in outer.args]
                for call in calls:
                    assert isinstance(call, ast.Call)
                    yield call, {**known, **dict(zip(names, given, strict=True))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_call(node, "cpp") and id(node) not in inner | skipped:
            yield node, dict(known)


def _is_call(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _source(call: ast.Call, known: Mapping[str, Any]) -> CppSource:
    if len(call.args) != 1:
        raise ValueError
    given = {keyword.arg: _value(keyword.value, known) for keyword in call.keywords}
    text = _value(call.args[0], known)
    if not isinstance(text, str) or not set(given) <= {"flags", "defines"}:
        raise ValueError
    flags = build_flags(given.get("flags", ()), given.get("defines"))
    return CppSource(text, tuple(flags))


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """The value of a constant expression. Raises ValueError."""
    match node:
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            a, b = _value(left, known), _value(right, known)
            if not (isinstance(a, str) and isinstance(b, str)):
                raise ValueError
            return a + b
        case ast.Call(func=ast.Name(id="tuned"), args=[]):
            space = {k.arg: _value(k.value, known) for k in node.keywords if k.arg}
            found: SimpleNamespace = tuned(**space)
            return found
        case _:
            return ast.literal_eval(node)
