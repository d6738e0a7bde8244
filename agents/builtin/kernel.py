"""A kernel before it is text: loops, what they store, and how its reductions run.

A kernel has `prefix` loops that all its parts share (rows: reductions over a row are computed there),
and parts, each with loops of its own and stores inside them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.expr import (
    WEIGHTS,
    Buffer,
    Expr,
    children,
    substitute,
    walk,
)
from kernelwright.agents.builtin.index import Clamp, Div, Index, Mod, Var
from kernelwright.agents.builtin.lazy import LibraryCall, Place, Reduction, Scan


@dataclass
class Store:
    """One element written: `buffer[index] = expr`."""

    buffer: Buffer
    index: Index
    expr: Expr


@dataclass
class Part:
    """A loop nest over `loops` (outermost first) with stores at its heart."""

    loops: list[Var]
    stores: list[Store]


@dataclass
class Inner:
    """The loops of a reduction, and its inner place in terms of them."""

    loops: list[Var]
    place: Place


@dataclass(eq=False)
class Kernel:
    """One pass over memory. See the head of this file."""

    name: str
    prefix: list[Var]
    parts: list[Part]
    inner: dict[Reduction, Inner] = field(default_factory=dict)
    lanes: Var | None = None
    """The prefix loop whose neighbours share a vector, or None: each inner loop has its own."""
    _bodies: dict[Expr, Expr] = field(default_factory=dict)

    def loops_of(self, reduction: Reduction) -> Inner:
        """The loops of a reduction in this kernel."""
        found = self.inner.get(reduction)
        if found is None:
            loops = [Var(extent) for extent in reduction.ranges]
            found = Inner([v for v in loops if v.extent > 1], tuple(index.var(v) for v in loops))
            self.inner[reduction] = found
        return found

    def body(self, node: Expr) -> Expr:
        """What a reduction or scan runs over, for one reference to it.

        Asked once of the program, when the kernel is planned: what is materialised later does not
        exist yet where this kernel runs.
        """
        found = self._bodies.get(node)
        if found is None:
            of, place = node.attr
            found = (
                of.body(place) if isinstance(of, Scan) else of.body(place, self.loops_of(of).place)
            )
            self._bodies[node] = found
        return found

    def adopt(self, *others: Kernel) -> None:
        """Take over what other kernels have asked of the program."""
        for other in others:
            self._bodies |= other._bodies

    def free(self, node: Expr) -> frozenset[Var]:
        """Loop variables that a node depends on, looking into reductions."""
        memo: dict[Expr, frozenset[Var]] = {}

        def go(n: Expr) -> frozenset[Var]:
            if n in memo:
                return memo[n]
            if n.op == "red":
                result = go(self.body(n)) - frozenset(self.loops_of(n.attr[0]).loops)
                if n.attr[0].block is not None:
                    result |= n.attr[1][0].vars
            elif n.op == "scan":
                result = go(self.body(n)) | n.vars
            else:
                result = n.vars if not n.args else frozenset()
                for child in children(n):
                    result |= go(child)
            memo[n] = result
            return result

        return go(node)

    def everything(self, roots: Iterable[Expr]) -> list[Expr]:
        """Every node below the roots, those in bodies of reductions and scans included."""
        seen: dict[Expr, None] = {}
        waiting = list(roots)
        while waiting:
            for node in walk([waiting.pop()]):
                if node not in seen:
                    seen[node] = None
                    if node.op in ("red", "scan"):
                        waiting.append(self.body(node))
        return list(seen)

    @property
    def roots(self) -> list[Expr]:
        """What the parts store."""
        return [store.expr for part in self.parts for store in part.stores]

    def indices(self) -> list[Index]:
        """Every index that is used to reach memory or as a number."""
        found = [store.index for part in self.parts for store in part.stores]
        for node in self.everything(self.roots):
            if node.op == "load":
                found.append(node.attr[1])
            elif node.op == "index":
                found.append(node.attr)
            elif node.op == "inrange":
                found.append(node.attr[0])
        return found

    def divisions(self) -> int:
        """How many divisions and remainders the indices hold."""
        return sum(isinstance(a, Div | Mod) for i in set(self.indices()) for a in index.atoms(i))

    def substituted(
        self, mapping: Mapping[Var, Index], loops: Callable[[list[Var]], list[Var]]
    ) -> Kernel:
        """A copy with variables replaced; `loops` does the same for a list of loops."""
        parts = []
        for part in self.parts:
            stores = [
                Store(
                    s.buffer,
                    s.index.substitute(mapping, lambda e: substitute([e], mapping)[0]),
                    substitute([s.expr], mapping)[0],
                )
                for s in part.stores
            ]
            parts.append(Part(loops(part.loops), stores))
        inner = {
            reduction: Inner(
                loops(old.loops),
                tuple(
                    p.substitute(mapping, lambda e: substitute([e], mapping)[0]) for p in old.place
                ),
            )
            for reduction, old in self.inner.items()
        }
        return Kernel(
            self.name, loops(self.prefix), parts, inner, self.lanes, self._moved_bodies(mapping)
        )

    def rename(self, mapping: Mapping[Var, Var]) -> None:
        """Let reductions run over other loops, of the same extents, in place."""
        indices = {old: index.var(new) for old, new in mapping.items()}
        for inner in self.inner.values():
            if any(v in mapping for v in inner.loops):
                inner.loops = [mapping.get(v, v) for v in inner.loops]
                inner.place = tuple(
                    p.substitute(indices, lambda e: substitute([e], indices)[0])
                    for p in inner.place
                )
        self._bodies = self._moved_bodies(indices)

    def _moved_bodies(self, mapping: Mapping[Var, Index]) -> dict[Expr, Expr]:
        nodes, bodies = list(self._bodies), list(self._bodies.values())
        return dict(zip(substitute(nodes, mapping), substitute(bodies, mapping), strict=True))

    def work(self) -> int:
        """Rough count of operations, for deciding on threads."""
        total = 0
        rows = math.prod(v.extent for v in self.prefix)
        for part in self.parts:
            each = math.prod(v.extent for v in part.loops)
            total += rows * each * sum(weight(s.expr) for s in part.stores)
        for node in self.everything(self.roots):
            if node.op == "red":
                inner = math.prod(v.extent for v in self.loops_of(node.attr[0]).loops)
                outer = math.prod(v.extent for v in self.free(node))
                total += inner * outer * weight(self.body(node))
        return total


def weight(node: Expr) -> int:
    """Cost of computing a node and what it needs, in vector multiplications."""
    return 1 + sum(WEIGHTS.get(n.op, 1) for n in walk([node]))


def clamps(i: Index) -> bool:
    """Whether an index has to be held inside its tensor."""
    return any(isinstance(a, Clamp) for a in index.atoms(i))


Stage = Kernel | LibraryCall
