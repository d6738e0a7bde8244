"""What one program (Triton) or block (CUDA) works on: a row of a kernel, or neighbouring elements."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kernelwright.agents.builtin.expr import Expr
from kernelwright.agents.builtin.index import Var
from kernelwright.agents.builtin.kernel import Kernel, Part

SHORT = 32
"""Rows of so few elements are no work for a whole program: neighbouring rows share one."""


@dataclass(frozen=True)
class Form:
    """How a kernel is spread over the grid."""

    rows: bool
    """A program has a row: reductions over it run across its threads. Else a thread has an element."""
    lanes: tuple[Var, ...]
    """The loops that neighbouring threads share out, where not `rows`; a thread runs all others itself."""
    parts: tuple[Part, ...]


def forms(kernel: Kernel) -> list[Form]:
    """How the kernel runs: in one launch, or one for each part where the parts share no reduction."""
    reductions = row_reductions(kernel)
    if not reductions:
        return [_elements(kernel, part) for part in kernel.parts]
    parts = tuple(kernel.parts)
    longest = max(_length(kernel, node) for node in reductions)
    rows = math.prod(v.extent for v in kernel.prefix)
    if rows > 1 and (longest <= SHORT or _across(kernel, reductions)):
        return [Form(False, tuple(kernel.prefix), parts)]
    return [Form(True, (), parts)]


def _elements(kernel: Kernel, part: Part) -> Form:
    """An element a lane; what has one element only is a row of its own."""
    lanes = (*kernel.prefix, *part.loops)
    alone = math.prod(v.extent for v in lanes) == 1
    return Form(alone, () if alone else lanes, (part,))


def row_reductions(kernel: Kernel) -> list[Expr]:
    """The reductions that all elements of a row have in common."""
    rows = set(kernel.prefix)
    return [n for n in kernel.everything(kernel.roots) if n.op == "red" and kernel.free(n) <= rows]


def _length(kernel: Kernel, node: Expr) -> int:
    return math.prod(v.extent for v in kernel.loops_of(node.attr[0]).loops)


def _across(kernel: Kernel, reductions: list[Expr]) -> bool:
    """Whether neighbours in memory lie in different rows."""
    score = 0
    for node in reductions:
        inner = kernel.loops_of(node.attr[0]).loops
        for n in kernel.everything([kernel.body(node)]):
            if n.op == "load":
                score += sum(n.attr[1].coefficient(v) == 1 for v in kernel.prefix)
                score -= sum(n.attr[1].coefficient(v) == 1 for v in inner)
    return score > 0
