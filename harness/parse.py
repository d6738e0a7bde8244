"""The cheapest check: is it Python, and does it define `ModelNew`? Nothing is run."""

from __future__ import annotations

import ast


def parse_problem(source: str) -> tuple[str, str] | None:
    """Code and message of what is wrong with a candidate's text, or None."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return "syntax_error", f"not Python: {error}"
    if "ModelNew" not in _defined(tree):
        return "no_model", "the candidate defines no ModelNew"
    return None


def _defined(tree: ast.AST) -> set[str]:
    """Names that a module may define, by whatever statement."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name=name, asname=other):
                names.add(other or name)
            case _:
                continue
    return names
