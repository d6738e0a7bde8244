"""The scheduler: which kernels there are, in which order, and what each of them fuses.

A kernel writes tensors of one shape. Reductions that every element of a row needs alike run in the
row, before it is written; all others run first, in kernels of their own. Reductions to few numbers
are cut into blocks, so that every thread has work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from kernelwright.agents.builtin import expr, index
from kernelwright.agents.builtin.build import Built
from kernelwright.agents.builtin.combine import combined
from kernelwright.agents.builtin.expr import KINDS, WEIGHTS, Buffer, Expr, Kind, walk
from kernelwright.agents.builtin.index import Index, Var
from kernelwright.agents.builtin.kernel import Kernel, Part, Store
from kernelwright.agents.builtin.lazy import (
    Lazy,
    LibraryCall,
    Materialise,
    Place,
    Reduction,
    Scan,
)
from kernelwright.agents.builtin.shape_loops import (
    boundaries,
    merge,
    regions,
    split_divisions,
)

DTYPES: dict[Kind, torch.dtype] = {
    "f32": torch.float32,
    "f64": torch.float64,
    "i32": torch.int32,
    "i64": torch.int64,
    "b": torch.bool,
}
"""The dtype in which values of a kind are put in memory between kernels."""

SPLIT_FROM = 16_384
"""A reduction to few numbers is cut into blocks from this many elements on."""
FEW = 8
"""So many rows keep the threads busy."""
COLUMN_BLOCK = 16
"""Rows that one pass down the columns takes together: so many streams a core can prefetch."""
BLOCKS = 64
"""Blocks that a reduction is cut into: enough for any number of threads here, few to combine."""


@dataclass(frozen=True)
class Choices:
    """The structural choices of a strategy."""

    stash: bool = True
    """Allow a row's intermediate values to be kept instead of computed again."""
    share_rows: bool = True
    """Compute reductions in the kernel that uses them, where rows allow it."""
    one_pass_variance: bool = False
    """Take mean and variance from one pass, about the mean of a sample of the row."""
    attention: bool = False
    """Attention in one pass in place of library calls."""
    products: bool = False
    """Own products and convolutions with what follows fused, in place of library calls."""


@dataclass
class Plan:
    """Kernels and library calls in order, and the tensors that exist between them."""

    built: Built
    stages: list[Any] = field(default_factory=list)
    """`Kernel`, `LibraryCall` or `TemplateCall`."""
    temporaries: list[Buffer] = field(default_factory=list)
    aliases: dict[Buffer, Buffer] = field(default_factory=dict)
    """Results that are written over a library's result, which nobody reads after that."""


class Planner:
    """Plans one program. Realising a tensor changes it, so a program is built anew for each plan."""

    def __init__(self, built: Built, choices: Choices) -> None:
        self.choices = choices
        self.plan = Plan(built)
        self.names = 0

    def run(self) -> Plan:
        """The whole plan."""
        built = self.plan.built
        for step in built.program.steps:
            if isinstance(step, LibraryCall):
                self._library(step)
            else:
                self._materialise([step])
        waiting = list(built.outputs)
        while waiting:
            shape = waiting[0].tensor.shape
            group = [m for m in waiting if m.tensor.shape == shape]
            self._materialise(group)
            waiting = [m for m in waiting if m not in group]
        self.plan.stages = list(combined(self.plan.stages))
        return self.plan

    # ---- library calls ----

    def _library(self, step: LibraryCall) -> None:
        for argument in step.arguments:
            if view_of(argument) is None:
                buffer = self._temporary(argument.dtype, argument.shape)
                lazy = Lazy(argument.shape, argument.dtype, argument.element)
                self._materialise([Materialise(lazy, buffer)])
                argument.stored = buffer
        self.plan.temporaries += step.results
        self.plan.stages.append(step)

    def _temporary(self, dtype: torch.dtype, shape: Sequence[int]) -> Buffer:
        self.names += 1
        buffer = Buffer(f"h{self.names}", dtype, tuple(shape), "temporary")
        self.plan.temporaries.append(buffer)
        return buffer

    # ---- kernels ----

    def _materialise(self, group: Sequence[Materialise]) -> None:
        """One kernel (or one for each region) that writes tensors of one shape."""
        for m in group:
            if m.into.role == "temporary" and m.into not in self.plan.temporaries:
                self.plan.temporaries.append(m.into)
        shape = group[0].into.shape
        if math.prod(shape) == 0:
            return
        while True:
            loops = [Var(extent) for extent in shape]
            place = tuple(index.var(v) for v in loops)
            kernel = Kernel("", [], [])
            roots = [m.tensor.at(place) for m in group]
            live = [v for v in loops if v.extent > 1]
            obstacle = self._obstacle(kernel, roots, live)
            if obstacle is None:
                break
            self._realise(*obstacle)
        rows = self._rows(kernel, roots, live)
        in_rows = [v in rows for v in loops]
        if rows == live and boundaries(kernel, roots, live[-1:]):
            in_rows[loops.index(live[-1])] = False  # windows: cut at the borders of the last loop
        self._regions(group, shape, in_rows)

    def _rows(self, kernel: Kernel, roots: Sequence[Expr], loops: Sequence[Var]) -> list[Var]:
        """The loops that reductions need bound: the rows."""
        needed: set[Var] = set()
        for node in walk(roots):
            if node.op == "red":
                needed |= kernel.free(node)
            elif node.op == "scan":
                scan, place = node.attr
                needed |= {v for d, p in enumerate(place) if d != scan.dim for v in p.vars}
        return [v for v in loops if v in needed]

    def _obstacle(
        self, kernel: Kernel, roots: Sequence[Expr], loops: list[Var]
    ) -> tuple[Reduction | Scan, bool] | None:
        """A reduction or scan that must run first, and whether in blocks; None if there is none."""
        reds = [n for n in walk(roots) if n.op == "red"]
        scans = [n for n in kernel.everything(roots) if n.op == "scan"]
        for node in scans:
            scan, place = node.attr
            whole = tuple(index.var(v) for v in loops)
            mine = tuple(p for p in place if p.terms)
            ok = (
                mine == whole
                and all(p.terms or e == 1 for p, e in zip(place, scan.shape, strict=True))
                and all(s.attr[0].dim == scan.dim and s.attr[1] == place for s in scans)
                and scan.shape[scan.dim] > 1
                and node in set(walk(roots))
            )
            if not ok:
                return scan, False
        if scans:
            where = scans[0].attr[1][scans[0].attr[0].dim].vars
            for node in reds:
                if kernel.free(node) & where:
                    return node.attr[0], False
        if not reds:
            return None
        free = {node: kernel.free(node) & set(loops) for node in reds}

        def extent(vs: frozenset[Var] | set[Var]) -> int:
            return math.prod(v.extent for v in vs)

        def cost(node: Expr) -> int:
            ranges: tuple[int, ...] = node.attr[0].ranges
            return extent(free[node]) * math.prod(ranges)

        rows = free[max(reds, key=cost)]
        for node in reds:
            reduction = node.attr[0]
            size = math.prod(reduction.ranges)
            again = extent(rows - free[node])
            if not free[node] <= rows or (again > 1 and size > 1):
                return reduction, self._wants_blocks(reduction)
        for node in reds:
            reduction = node.attr[0]
            if self._wants_blocks(reduction):
                return reduction, True
            if rows != set(loops) and not self.choices.share_rows:
                return reduction, False
        return self._nested(kernel, reds, rows)

    def _nested(
        self, kernel: Kernel, reds: Sequence[Expr], bound: frozenset[Var] | set[Var]
    ) -> tuple[Reduction | Scan, bool] | None:
        """An obstacle among reductions inside reductions: one that would run again and again."""
        for node in reds:
            own = kernel.loops_of(node.attr[0]).loops
            block = node.attr[1][0].vars if node.attr[0].block is not None else frozenset()
            inside = [
                n
                for n in walk([kernel.body(node)])
                if n.op == "red" and kernel.free(n) != set(bound)
            ]
            # Loops that any of them needs run outside; each must need all of those.
            outer = {v for n in inside for v in kernel.free(n) if v in own}
            for other in inside:
                free = kernel.free(other)
                missing = (set(bound) - free - block) | (outer - free)
                if math.prod(v.extent for v in missing) > 1:
                    return other.attr[0], self._wants_blocks(other.attr[0])
            found = self._nested(kernel, inside, (set(bound) - block) | outer)
            if found is not None:
                return found
        return None

    def _wants_blocks(self, reduction: Reduction) -> bool:
        no_blocks = reduction.reduces in ("argmax", "argmin")
        if no_blocks or reduction.block is not None or reduction.combines:
            return False
        results, each = math.prod(reduction.shape), math.prod(reduction.ranges)
        if results < FEW:
            return each >= SPLIT_FROM
        return results * each >= 8 * SPLIT_FROM and each >= 256 and self._strided(reduction)

    def _strided(self, reduction: Reduction) -> bool:
        """Whether it runs down columns: neighbours in memory go to different results."""
        kernel, outer = Kernel("", [], []), [Var(e) for e in reduction.shape]
        node = reduction.at(tuple(index.var(v) for v in outer))
        if node.op != "red":
            return False
        inner = kernel.loops_of(reduction).loops
        score = 0
        for n in kernel.everything([node]):
            if n.op == "load":
                score += sum(n.attr[1].coefficient(v) == 1 for v in outer if v.extent > 1)
                score -= sum(n.attr[1].coefficient(v) == 1 for v in inner)
        return score > 0

    def _realise(self, what: Reduction | Scan, blocks: bool) -> None:
        """Give a reduction or scan a place in memory."""
        if blocks and isinstance(what, Reduction):
            what.replaced = self._blocked(what)
            return
        buffer = self._temporary(DTYPES[what.kind], what.shape)
        lazy = Lazy(what.shape, buffer.dtype, what.at)
        self._materialise([Materialise(lazy, buffer)])
        what.stored = buffer

    def _blocked(self, reduction: Reduction) -> Reduction:
        """The same reduction over partial results of blocks."""
        flat = merged_ranges(reduction)
        rows = self._rows_inside(flat)
        at = max(
            range(len(flat.ranges)), key=lambda d: (d in rows, min(flat.ranges[d], BLOCKS), -d)
        )
        order = [at, *(d for d in range(len(flat.ranges)) if d != at)]
        ranges = tuple(flat.ranges[d] for d in order)
        block = max(1, math.ceil(ranges[0] / BLOCKS))
        if math.prod(flat.shape) >= FEW:
            block = max(COLUMN_BLOCK // math.prod(ranges[1:]), math.ceil(ranges[0] / 512), 1)
        elif len(ranges) == 1:
            block = max(block, 4096)
        count = math.ceil(ranges[0] / block)

        def body(outer: Place, inner: Place) -> Expr:
            place: list[Index] = [index.ZERO] * len(order)
            for d, i in zip(order, inner, strict=True):
                place[d] = i
            return flat.body(outer[1:], tuple(place))

        partial = Reduction(
            flat.reduces, (count, *flat.shape), ranges, body, flat.kind, None, block
        )
        buffer = self._temporary(DTYPES[flat.kind], partial.shape)
        self._materialise([Materialise(Lazy(partial.shape, buffer.dtype, partial.at), buffer)])

        def combine(outer: Place, inner: Place) -> Expr:
            loaded = expr.load(buffer, index.linear((*inner, *outer), buffer.shape))
            return expr.cast(loaded, flat.kind)

        return Reduction(flat.reduces, flat.shape, (count,), combine, flat.kind, combines=True)

    def _rows_inside(self, reduction: Reduction) -> set[int]:
        """Ranges that reductions inside of it depend on: its rows."""
        kernel = Kernel("", [], [])
        loops = [Var(e) for e in reduction.ranges]
        outer = tuple(index.var(Var(e)) for e in reduction.shape)
        body = reduction.body(outer, tuple(index.var(v) for v in loops))
        needed: set[Var] = set()
        for node in walk([body]):
            if node.op == "red":
                needed |= kernel.free(node)
        return {d for d, v in enumerate(loops) if v in needed}

    def _regions(
        self, group: Sequence[Materialise], shape: tuple[int, ...], in_rows: list[bool]
    ) -> None:
        """Cut the loops where conditions change; make a kernel of what shares its rows."""
        loops = [Var(e) for e in shape]
        probe = Kernel("", [], [])
        place = tuple(index.var(v) for v in loops)
        roots = [m.tensor.at(place) for m in group]
        scanned = {v for n in walk(roots) if n.op == "scan" for v in n.attr[1][n.attr[0].dim].vars}
        free = [v for v in loops if v.extent > 1 and v not in scanned]
        windows = any(n.op == "red" for n in walk(roots)) and not all(in_rows)
        if windows:
            free = [v for v in free if not in_rows[loops.index(v)]]
        cuts = boundaries(probe, roots, free)
        spans = regions(loops, cuts) if cuts else None
        if spans is None:
            spans, cuts = [[(0, e) for e in shape]], {}
        has_rows = any(in_rows)
        if cuts and not has_rows:
            first = min(loops.index(v) for v in cuts)
            in_rows = [d < first for d in range(len(loops))]
        groups: dict[tuple[tuple[int, int], ...], list[list[tuple[int, int]]]] = {}
        for span in spans:
            key = tuple(s for s, row in zip(span, in_rows, strict=True) if row)
            groups.setdefault(key, []).append(span)
        for members in groups.values():
            self._kernel(group, members, in_rows)

    def _kernel(
        self,
        group: Sequence[Materialise],
        spans: list[list[tuple[int, int]]],
        in_rows: list[bool],
    ) -> None:
        shared = [
            Var(length) if row else None for (_, length), row in zip(spans[0], in_rows, strict=True)
        ]
        kernel = Kernel("", [v for v in shared if v is not None and v.extent > 1], [])
        alike: dict[tuple[int, ...], Part] = {}
        variables: dict[tuple[int, ...], list[Var]] = {}
        for span in spans:
            lengths = tuple(length for _, length in span)
            if lengths not in alike:
                own = [v or Var(n) for v, n in zip(shared, lengths, strict=True)]
                variables[lengths] = own
                inner = [v for v, row in zip(own, in_rows, strict=True) if not row]
                alike[lengths] = Part([v for v in inner if v.extent > 1], [])
                kernel.parts.append(alike[lengths])
            place = tuple(
                index.var(v) + start for v, (start, _) in zip(variables[lengths], span, strict=True)
            )
            for m in group:
                where = index.linear(place, m.into.shape)
                value = m.tensor.at(place)
                alike[lengths].stores.append(Store(m.into, where, value))
        for node in kernel.everything(kernel.roots):
            if node.op == "red":
                kernel.loops_of(node.attr[0])
        kernel = merge(split_divisions(kernel))
        kernel = self._hoisted(kernel)
        kernel.everything(kernel.roots)
        kernel.name = f"k{len(self.plan.stages)}"
        self.plan.stages.append(kernel)

    def _hoisted(self, kernel: Kernel) -> Kernel:
        """Dear values that would be computed again for every row go to memory first."""
        if len(kernel.parts) > 1:
            return kernel
        part = kernel.parts[0]
        order = [*kernel.prefix, *part.loops]
        best: Expr | None = None
        for node in walk(kernel.roots):
            if not node.vars or not node.args or node.vars - set(order):
                continue
            below = walk([node])
            if any(n.op in ("red", "scan") for n in below):
                continue
            dear = sum(WEIGHTS.get(n.op, 1) for n in below if WEIGHTS.get(n.op, 1) >= 6)
            last = max(order.index(v) for v in node.vars)
            runs = math.prod(v.extent for v in order[: last + 1])
            unique = math.prod(v.extent for v in node.vars)
            if dear and runs >= 4 * unique and runs * dear > 200_000:
                best = node  # walk gives arguments first: the last one found is outermost
        if best is None:
            return kernel
        mine = [v for v in order if v in best.vars]
        shape = tuple(v.extent for v in mine)
        chosen = best

        def element(place: Place) -> Expr:
            return expr.substitute([chosen], dict(zip(mine, place, strict=True)))[0]

        buffer = self._temporary(DTYPES[chosen.kind], shape)
        self._materialise([Materialise(Lazy(shape, buffer.dtype, element), buffer)])
        stored = expr.cast(
            expr.load(buffer, index.linear(tuple(index.var(v) for v in mine), shape)),
            chosen.kind,
        )
        for store in part.stores:
            store.expr = replaced(store.expr, chosen, stored)
        return self._hoisted(kernel)


def replaced(root: Expr, old: Expr, new: Expr) -> Expr:
    """`root` with one node replaced, outside of indices."""
    memo: dict[Expr, Expr] = {old: new}

    def go(node: Expr) -> Expr:
        if node not in memo:
            args = [go(a) for a in node.args]
            same = all(a is b for a, b in zip(args, node.args, strict=True))
            memo[node] = node if same else expr.make(node.op, args, node.kind, node.attr)
        return memo[node]

    return go(root)


def merged_ranges(reduction: Reduction) -> Reduction:
    """The same reduction with inner ranges that run on in memory made one."""
    if reduction.reduces in ("argmax", "argmin"):
        return reduction
    outer = [Var(e) for e in reduction.shape]
    probe = Kernel("", [v for v in outer if v.extent > 1], [])
    node = reduction.at(tuple(index.var(v) for v in outer))
    scratch = Buffer("probe", DTYPES[reduction.kind], reduction.shape, "temporary")
    where = index.linear(tuple(index.var(v) for v in outer), reduction.shape)
    probe.parts.append(Part([], [Store(scratch, where, node)]))
    for n in probe.everything(probe.roots):
        if n.op == "red":
            probe.loops_of(n.attr[0])
    before = [v.extent for v in probe.loops_of(reduction).loops]
    kernel = merge(probe)
    inner = kernel.loops_of(reduction)
    if [v.extent for v in inner.loops] == before:
        return reduction
    loops, place = inner.loops, inner.place

    def body(at: Place, within: Place) -> Expr:
        mapping = dict(zip(loops, within, strict=True))
        moved = tuple(
            p.substitute(mapping, lambda e: expr.substitute([e], mapping)[0]) for p in place
        )
        return reduction.body(at, moved)

    return Reduction(
        reduction.reduces, reduction.shape, tuple(v.extent for v in loops), body, reduction.kind
    )


@dataclass(frozen=True)
class View:
    """A tensor that is a strided view of a buffer."""

    buffer: Buffer
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


def view_of(tensor: Lazy) -> View | None:
    """How a lazy tensor lies in memory already, or None where it has to be computed."""
    loops = [Var(e) for e in tensor.shape]
    node = tensor.at(tuple(index.var(v) for v in loops))
    if node.op != "load":
        return None
    buffer, where = node.attr
    if buffer.dtype != tensor.dtype or not where.affine:
        return None
    strides = []
    for v in loops:
        step = where.coefficient(v)
        if step is None or step < 0:
            return None
        strides.append(step)
    return View(buffer, tensor.shape, tuple(strides), where.constant)


__all__ = ["KINDS", "Choices", "Plan", "Planner", "View", "view_of"]
