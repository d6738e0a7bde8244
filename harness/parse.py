"""What a candidate's text alone tells: is it Python, does it define `ModelNew`, which language is it?

Nothing is run.
"""

from __future__ import annotations

import ast

_NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for hostile text, null bytes and deep nesting included."""
LANGUAGE_NAMES = {"cpp": "C++", "cuda": "CUDA", "triton": "Triton", "python": "Python"}
"""Languages as people write them."""


def parse_problem(source: str) -> tuple[str, str] | None:
    """Code and message of what is wrong with a candidate's text, or None."""
    try:
        tree = ast.parse(source)
    except _NOT_PYTHON as error:
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


def language_of(source: str) -> str:
    """`cpp`, `cuda`, `triton` or `python`, by what the file imports."""
    try:
        tree = ast.parse(source)
    except _NOT_PYTHON:
        return "python"
    modules: set[str] = set()
    inline: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
            if node.module == "kernelwright.inline":
                inline |= {alias.name for alias in node.names}
    if "cuda" in inline or "cupy" in modules:
        return "cuda"
    if "triton" in modules and "cpp" not in inline:
        return "triton"
    if modules & {"kernelwright.inline", "torch.utils.cpp_extension"}:
        return "cpp"
    return "python"
