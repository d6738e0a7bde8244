"""Which loop variable's neighbours share a vector: chosen by what it costs to reach memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from kernelwright.agents.builtin.expr import WEIGHTS, Expr, walk
from kernelwright.agents.builtin.index import Index, Var
from kernelwright.agents.builtin.kernel import Kernel, Part
from kernelwright.agents.builtin.lazy import Reduction

WIDTH = 16
"""Lanes that costs are counted for."""
BROADCAST, TOGETHER, APART, SEARCHED = 0.1, 1.0, 8.0, 12.0
"""Cost of one vector: the same for all lanes, neighbours, strided, each its own index."""
FOLD = 10.0
"""Cost of folding the lanes of an accumulator at a row's end."""


@dataclass
class Lanes:
    """The choice for a kernel: `prefix`, or one variable for each innermost nest."""

    prefix: Var | None
    parts: list[Var | None] = field(default_factory=list)

    def part(self, number: int) -> Var | None:
        """The variable of a part's own loops."""
        return None if self.prefix is not None else self.parts[number]

    def reduction(self, of: Reduction, kernel: Kernel, bodies: Sequence[Expr]) -> Var | None:
        """The variable of a reduction's loops, unless the prefix holds the vector."""
        if self.prefix is not None:
            return None
        inner = kernel.loops_of(of)
        loops = inner.loops[1:] if of.block is not None and len(inner.loops) > 1 else inner.loops
        nested = _nested(kernel, bodies, set(inner.loops))
        loops = [v for v in loops if v not in nested]
        return best(kernel, loops, bodies, [])[0]


def choose(kernel: Kernel) -> Lanes:
    """The cheapest choice."""
    inside = _inside(kernel)
    options: list[tuple[float, Var | None]] = [(inside, None)]
    for v in kernel.prefix:
        options.append((_outside(kernel, v), v))
    cost, prefix = min(options, key=lambda option: option[0])
    del cost
    parts = [
        best(kernel, part.loops, _below(kernel, part), [s.index for s in part.stores])[0]
        for part in kernel.parts
    ]
    return Lanes(prefix, parts)


def _below(kernel: Kernel, part: Part) -> list[Expr]:
    """What runs inside a part's loops: its values, and bodies of reductions that need its loops."""
    roots = [s.expr for s in part.stores]
    loops = set(part.loops)
    bodies = [
        kernel.body(n) for n in kernel.everything(roots) if n.op == "red" and kernel.free(n) & loops
    ]
    return [*roots, *bodies]


def _nested(kernel: Kernel, bodies: Sequence[Expr], loops: set[Var]) -> set[Var]:
    """Loops that reductions inside the bodies depend on: those run in vectors themselves."""
    found: set[Var] = set()
    for node in walk(bodies):
        if node.op == "red":
            found |= kernel.free(node) & loops
    return found


def best(
    kernel: Kernel, loops: Sequence[Var], roots: Sequence[Expr], stores: Sequence[Index]
) -> tuple[Var | None, float]:
    """The cheapest variable of a nest, with its cost for each element."""
    if not loops:
        return None, _scalar(roots)
    pick = min(loops, key=lambda v: (_cost(kernel, v, roots, stores), -v.extent))
    cost = _cost(kernel, pick, roots, stores)
    if stores and _plain(roots) < cost:
        return None, _plain(roots)
    return pick, cost


def _plain(roots: Sequence[Expr]) -> float:
    """Cost of one element without vectors: worth it where every lane is looked up on its own."""
    return sum(
        0.3 if n.op in ("load", "bound") else 0.5 * WEIGHTS.get(n.op, 1) for n in walk(roots)
    )


def _scalar(roots: Sequence[Expr]) -> float:
    return 1.0 + sum(n.op == "load" for n in walk(roots))


def _cost(kernel: Kernel, v: Var, roots: Sequence[Expr], stores: Sequence[Index]) -> float:
    """Cost of one element when v's neighbours share a vector."""
    del kernel
    total = 1.0
    for node in walk(roots):
        if node.op == "load":
            total += _reach(node.attr[1], v)
        elif node.op == "scan" and v in node.attr[1][node.attr[0].dim].vars:
            total += 6
    for where in stores:
        total += 1.5 * _reach(where, v)
    waste = math.ceil(v.extent / WIDTH) * WIDTH / v.extent
    return total * waste / WIDTH


def _reach(i: Index, v: Var) -> float:
    step = i.coefficient(v)
    if step is None:
        return SEARCHED
    return BROADCAST if step == 0 else TOGETHER if step == 1 else APART


def _runs(loops: Sequence[Var]) -> int:
    return math.prod(v.extent for v in loops)


def _reductions(kernel: Kernel) -> list[tuple[Expr, int]]:
    """Every reduction with how often its whole loop runs."""
    found = []
    for node in kernel.everything(kernel.roots):
        if node.op == "red":
            found.append((node, _runs(list(kernel.free(node)))))
    return found


def _inside(kernel: Kernel) -> float:
    rows = _runs(kernel.prefix)
    total = 0.0
    done: set[Expr] = set()
    for part in kernel.parts:
        roots = [s.expr for s in part.stores]
        stores = [s.index for s in part.stores]
        lane, _ = best(kernel, part.loops, _below(kernel, part), stores)
        each = _scalar(roots) if lane is None else _cost(kernel, lane, roots, stores)
        total += rows * _runs(part.loops) * each
        for node in kernel.everything(roots):
            if node.op == "red" and lane is not None and lane in kernel.free(node):
                done.add(node)
                runs = _runs([*kernel.free(node), *kernel.loops_of(node.attr[0]).loops])
                total += runs * _cost(kernel, lane, [kernel.body(node)], [])
    for node, runs in _reductions(kernel):
        if node in done:
            continue
        loops = kernel.loops_of(node.attr[0]).loops
        body = [kernel.body(node)]
        nested = _nested(kernel, body, set(loops))
        usable = [v for v in loops if v not in nested]
        _, each = best(kernel, usable, body, [])
        total += runs * (_runs(loops) * each + FOLD)
    return total


def _outside(kernel: Kernel, v: Var) -> float:
    rows = _runs(kernel.prefix)
    total = 0.0
    for part in kernel.parts:
        each = _cost(kernel, v, [s.expr for s in part.stores], [s.index for s in part.stores])
        total += rows * _runs(part.loops) * each
    for node, runs in _reductions(kernel):
        reduction = node.attr[0]
        loops = kernel.loops_of(reduction).loops
        blocks = reduction.block is not None and v in node.attr[1][0].vars
        if blocks or v not in kernel.free(node):
            return math.inf
        total += runs * _runs(loops) * _cost(kernel, v, [kernel.body(node)], [])
    return total
