"""Reshaping of loops: cut at boundaries, split where a view divides, merge where memory runs on."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.expr import Expr
from kernelwright.agents.builtin.index import Clamp, Div, Index, Mod, Var
from kernelwright.agents.builtin.kernel import Kernel

MOST_REGIONS = 12
WINDOW = 32
"""Widest window of an inner loop about whose ends an outer loop is cut."""


def boundaries(kernel: Kernel, roots: list[Expr], loops: list[Var]) -> dict[Var, list[int]]:
    """Where conditions on a single loop variable change, strictly inside its range."""
    cuts: dict[Var, set[int]] = {}

    def cut(v: Var, coefficient: int, constant: int, at: int) -> None:
        """The condition `coefficient * v + constant >= at` changes where the left side reaches it."""
        if coefficient > 0:
            point = -((constant - at) // coefficient)  # ceil((at - constant) / coefficient)
        else:
            # it no longer holds right after v = floor((constant - at) / -coefficient)
            point = (constant - at) // -coefficient + 1
        if 0 < point < v.extent:
            cuts.setdefault(v, set()).add(point)

    def add(i: Index, at: int) -> None:
        """The condition `i >= at`: where it starts to hold for all, and for some, of other loops."""
        mine = [(a, c) for a, c in i.terms if isinstance(a, Var) and a in loops]
        if len(mine) != 1 or not all(isinstance(a, Var) for a, _ in i.terms):
            return
        v, coefficient = mine[0]
        low, high = (i - Index(((v, coefficient),))).bounds
        if high - low < WINDOW:
            cut(v, coefficient, low, at)
            cut(v, coefficient, high, at)

    for node in kernel.everything(roots):
        if node.op == "inrange":
            i, low, high = node.attr
            add(i, low)
            add(i, high)
        places = [node.attr[1]] if node.op == "load" else []
        for i in places:
            for atom in index.atoms(i):
                if isinstance(atom, Clamp):
                    add(atom.of, atom.low)
                    add(atom.of, atom.high + 1)
    return {v: sorted(points) for v, points in cuts.items()}


def regions(loops: list[Var], cuts: dict[Var, list[int]]) -> list[list[tuple[int, int]]] | None:
    """(start, length) of every loop for every region, or None where there would be too many."""
    spans = []
    for v in loops:
        points = [0, *cuts.get(v, []), v.extent]
        spans.append([(a, b - a) for a, b in itertools.pairwise(points)])
    count = 1
    for options in spans:
        count *= len(options)
    if count > MOST_REGIONS:
        return None
    return [list(choice) for choice in itertools.product(*spans)]


def split_divisions(kernel: Kernel) -> Kernel:
    """Split loop variables so that divisions by constants vanish from the indices."""
    for _ in range(16):
        before = kernel.divisions()
        if not before:
            break
        for v, by in _splits(kernel):
            high, low = Var(v.extent // by), Var(by)
            mapping = {v: index.var(high) * by + index.var(low)}
            tried = kernel.substituted(mapping, _replacer(v, [high, low]))
            if tried.divisions() < before:
                kernel = tried
                break
        else:
            break
    return kernel


def _splits(kernel: Kernel) -> list[tuple[Var, int]]:
    found: dict[tuple[Var, int], None] = {}
    blocked = {
        inner.loops[0]
        for reduction, inner in kernel.inner.items()
        if reduction.block is not None and inner.loops
    }
    for node in kernel.everything(kernel.roots):
        if node.op == "scan":
            blocked |= node.attr[1][node.attr[0].dim].vars
    for i in dict.fromkeys(kernel.indices()):
        for atom in index.atoms(i):
            if not isinstance(atom, Div | Mod):
                continue
            for inner, coefficient in atom.of.terms:
                if not isinstance(inner, Var) or inner in blocked or coefficient <= 0:
                    continue
                by, left = divmod(atom.by, coefficient)
                if not left and 1 < by < inner.extent and inner.extent % by == 0:
                    found[inner, by] = None
    return list(found)


def _replacer(old: Var, new: list[Var]) -> Callable[[list[Var]], list[Var]]:
    def loops(given: list[Var]) -> list[Var]:
        result: list[Var] = []
        for v in given:
            result += [n for n in new if n.extent > 1] if v is old else [v]
        return result

    return loops


def merge(kernel: Kernel) -> Kernel:
    """Merge neighbouring loops wherever every index runs on from one to the next."""
    again = True
    while again:
        again = False
        for nest in _nests(kernel):
            for outer, inner in itertools.pairwise(nest):
                merged = _merged(kernel, outer, inner)
                if merged is not None:
                    kernel, again = merged, True
                    break
            if again:
                break
    return kernel


def _nests(kernel: Kernel) -> list[list[Var]]:
    nests = [kernel.prefix, *(p.loops for p in kernel.parts)]
    for reduction, inner in kernel.inner.items():
        nests.append(inner.loops[1:] if reduction.block is not None else inner.loops)
    return nests


def _merged(kernel: Kernel, outer: Var, inner: Var) -> Kernel | None:
    """The kernel with two loops made one, or None where an index does not allow it."""
    for i in kernel.indices():
        if i.affine and (i.coefficient(outer) or 0) != (i.coefficient(inner) or 0) * inner.extent:
            return None
    both = Var(outer.extent * inner.extent)
    mapping = {
        outer: index.var(both) // inner.extent,
        inner: index.var(both) % inner.extent,
    }

    def loops(given: list[Var]) -> list[Var]:
        return [both if v is inner else v for v in given if v is not outer]

    tried = kernel.substituted(mapping, loops)
    if tried.divisions() > kernel.divisions():
        return None
    return tried
