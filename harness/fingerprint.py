"""Fingerprint: whether two candidates would run the same code, found without running either.

The C++ that a candidate hands to `cpp` as literal text is built as its evaluation will build it (same
cage, same cache: the build is not lost), and what the library loads is hashed (`elf.py`). In the Python
part each such call stands as its hash; comments, layout and docstrings are gone, and so are names that
only such calls used. Whatever is not literal stays in the text as it is written, so that it tells two
candidates apart: equal fingerprints mean equal code, different ones mean nothing.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kernelwright.harness import elf, inline_cpp
from kernelwright.harness.candidate import NOT_PYTHON, Candidate
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.literals import Literals, NotLiteral, loads

Build = Callable[[str, Sequence[str]], Path]
"""Builds C++ text with further flags; gives the library. Raises BuildError."""

_READS_ITSELF = {
    *("globals", "locals", "vars", "exec", "eval", "setattr", "delattr"),
    *("inspect", "__dict__", "__doc__", "__file__", "__globals__", "modules", "_getframe"),
    *("getattr", "__import__", "importlib"),
}
"""With these a file can change or read what its text does not show."""
_MOST_BUILDS = 16


def fingerprint(candidate: Candidate, build: Build) -> str | None:
    """Hash of the candidate's code as it runs, 16 hex digits, or None where that cannot be told.

    None: no literal C++ in it, C++ that does not build, or a file that may change itself. A tuning space
    that is still open is part of the hash: the same code with other numbers to try is another candidate.
    """
    try:
        tree = ast.parse(candidate.source)
        if _names(tree) & _READS_ITSELF:
            return None
        calls = _Calls(Literals(tree), build)
        text = ast.dump(calls.replaced(tree))
    except (*NOT_PYTHON, BuildError):
        return None
    if not calls.built:
        return None
    numbers = sorted(candidate.space.items())
    space = repr(numbers) if any(len(values) > 1 for _, values in numbers) else ""
    parts = "\0".join([candidate.language, text, space])
    return hashlib.sha256(parts.encode(errors="surrogatepass")).hexdigest()[:16]


class _Calls(ast.NodeTransformer):
    """Puts the hash of what it builds in the place of each `cpp` call whose arguments are literal."""

    def __init__(self, literals: Literals, build: Build) -> None:
        self._literals = literals
        self._build = build
        self.built = 0

    def replaced(self, tree: ast.Module) -> ast.Module:
        """The module without C++ text, and without what only that text needed. Changes `tree`."""
        tree = _Wordless().visit(self.visit(tree))
        while True:
            read = loads(ast.walk(tree))
            body = [node for node in tree.body if not self._is_left_over(node, read)]
            if len(body) == len(tree.body):
                return tree
            tree.body = body

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A `cpp` call becomes its hash, where all of it is literal."""
        if not self._literals.is_call(node, "cpp") or self.built >= _MOST_BUILDS:
            return self.generic_visit(node)
        try:
            source, flags, defines = self._arguments(node)
        except NotLiteral:
            return self.generic_visit(node)
        self.built += 1
        functions = inline_cpp.prototypes(source)
        library = self._build(source, inline_cpp.build_flags(flags, defines))
        try:
            code = elf.code_digest(library.read_bytes(), functions)
        except ValueError as error:
            raise BuildError(str(error)) from error
        called = sorted((name, str(types)) for name, types in functions.items())
        return ast.copy_location(ast.Constant(repr((code, called, list(flags)))), node)

    def _arguments(self, node: ast.Call) -> tuple[str, Sequence[str], Any]:
        """Source, flags and defines. Raises NotLiteral."""
        words = {word.arg or "": self._literals.value(word.value) for word in node.keywords}
        if len(node.args) == 1 and "source" not in words:
            words["source"] = self._literals.value(node.args[0])
        elif node.args:
            raise NotLiteral
        source, flags = words.pop("source", None), words.pop("flags", ())
        defines = words.pop("defines", None)
        if words or not isinstance(source, str) or not isinstance(flags, list | tuple):
            raise NotLiteral
        if not all(isinstance(flag, str) for flag in flags):
            raise NotLiteral
        if not isinstance(defines, Mapping | SimpleNamespace | None):
            raise NotLiteral
        return source, flags, defines

    def _is_left_over(self, node: ast.stmt, read: Mapping[str, int]) -> bool:
        """Whether this gives a literal value to a name that nobody reads."""
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                return not read[name] and self._literals.is_literal(name)
            case _:
                return False


class _Wordless(ast.NodeTransformer):
    """Takes docstrings away."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """A constant by itself does nothing."""
        return ast.Pass() if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """After all within, `pass` goes too where it is not alone."""
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [each for each in body if not isinstance(each, ast.Pass)]
            node.body = kept or ([] if isinstance(node, ast.Module) else [ast.Pass()])  # type: ignore[attr-defined]
        return node


def _names(tree: ast.AST) -> set[str]:
    """All names and attributes that a file mentions."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found.add(name)
            case _:
                continue
    return found
