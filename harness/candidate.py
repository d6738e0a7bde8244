"""Candidate: one proposed kernel: a source with its language, tuning parameters and content hash.

A candidate is a Python file that defines `ModelNew`, as KernelBench has it, so kernels travel between
tools. It may declare a tuning space by one call with literal lists at module level:

    P = tuned(VEC=[8, 16], THREADS=[1, 2])      # from kernelwright.inline import tuned

The first value of each list is the one that runs. `baked` writes chosen values into the source, so
the harness and a published champion see a plain file and need to know nothing of tuners.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for hostile text, null bytes and deep nesting included."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")
"""Lines as Python's tokenizer has them; str.splitlines also splits at form feeds and the like."""
Space = Mapping[str, tuple[int | float | str, ...]]


@dataclass(frozen=True)
class Candidate:
    """A kernel as text. Equality and `id` are by content."""

    source: str
    language: str = "cpp"

    @cached_property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of the source."""
        return _digest(self.source)

    @cached_property
    def normalised(self) -> str:
        """Hash of the source without comments and layout of the Python part: near-copies collide."""
        try:
            text = ast.dump(ast.parse(self.source))
        except NOT_PYTHON:
            text = self.source
        return _digest(text)

    @cached_property
    def space(self) -> Space:
        """The declared tuning space, name to values; empty when none is declared."""
        call = _tuned_call(self.source)
        if call is None:
            return {}
        return {kw.arg: tuple(ast.literal_eval(kw.value)) for kw in call.keywords if kw.arg}

    def baked(self, choice: Mapping[str, int | float | str]) -> Candidate:
        """The same candidate with each name of the space fixed to `choice[name]`.

        Names that `choice` lacks keep their first value. Raises KeyError for an unknown name and
        ValueError for a value that the space does not hold.
        """
        call = _tuned_call(self.source)
        if call is None:
            if choice:
                raise KeyError(next(iter(choice)))
            return self
        for name, value in choice.items():
            if value not in self.space[name]:
                raise ValueError(
                    f"{name}={value!r} is not in the declared {list(self.space[name])}"
                )
        values = {name: choice.get(name, space[0]) for name, space in self.space.items()}
        text = ", ".join(f"{name}=[{value!r}]" for name, value in values.items())
        lines = _LINE.findall(self.source)
        assert call.end_lineno is not None and call.end_col_offset is not None
        head = "".join(lines[: call.lineno - 1]) + _cut(lines[call.lineno - 1], 0, call.col_offset)
        tail = _cut(lines[call.end_lineno - 1], call.end_col_offset, None) + "".join(
            lines[call.end_lineno :]
        )
        return Candidate(f"{head}tuned({text}){tail}", self.language)


def _cut(line: str, start: int, end: int | None) -> str:
    """A slice of a line by the byte offsets that `ast` gives."""
    return line.encode()[start:end].decode()


def _tuned_call(source: str) -> ast.Call | None:
    """The module-level `tuned(NAME=[...], ...)` call of a candidate, if it has one."""
    try:
        tree = ast.parse(source)
    except NOT_PYTHON:
        return None
    for node in tree.body:
        value = getattr(node, "value", None)
        if (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id == "tuned"
            and all(kw.arg and _is_literal_list(kw.value) for kw in value.keywords)
        ):
            return value
    return None


def _is_literal_list(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.List | ast.Tuple)
        and bool(node.elts)
        and all(_is_literal(item) for item in node.elts)
    )


def _is_literal(node: ast.expr) -> bool:
    try:
        return isinstance(ast.literal_eval(node), int | float | str)
    except ValueError:
        return False


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
