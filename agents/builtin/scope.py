"""Blocks of C++ while they are written: what is known in them, and what has been computed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from kernelwright.agents.builtin.expr import Expr
from kernelwright.agents.builtin.index import Var


@dataclass(frozen=True)
class Name:
    """A value that has been written: its C++ name, and whether it is a vector."""

    text: str
    vector: bool


@dataclass
class Scope:
    """A block of C++: the loop variables it knows and the values written in it."""

    parent: Scope | None
    bound: frozenset[Var]
    lanes: Var | None = None
    names: dict[Expr, Name] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def depth(self) -> int:
        """Number of scopes around."""
        return 0 if self.parent is None else self.parent.depth + 1

    def chain(self) -> list[Scope]:
        """This scope and those around it, innermost first."""
        return [self] if self.parent is None else [self, *self.parent.chain()]


def loop_name(v: Var) -> str:
    """The C++ name of a loop variable."""
    return f"i{v.number}"


def renumbered(text: str) -> str:
    """Loop variables numbered as they come, so that equal kernels have equal text."""
    numbers: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return numbers.setdefault(found.group(), f"i{len(numbers)}")

    return re.sub(r"\bi\d+\b", name, text)


def lane_text(text: str, kind: str) -> str:
    """A scalar as a lane of a vector: a truth value is -1 or 0 there."""
    return f"-(int32_t)({text})" if kind == "b" else text


def indented(lines: Sequence[str]) -> list[str]:
    """The lines moved to the right, but for directives."""
    return [f"  {line}" if not line.startswith("#") else line for line in lines]
