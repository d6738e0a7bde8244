"""Kernels as C++ text: nested loops, values hoisted to where their variables are known.

Inside a vector loop the body is a lambda that is instantiated twice: for full vectors and for the
masked end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.accumulate import SMALL, Accumulator
from kernelwright.agents.builtin.expr import WEIGHTS, Expr, walk
from kernelwright.agents.builtin.index import Var
from kernelwright.agents.builtin.kernel import Kernel, Part
from kernelwright.agents.builtin.lanes import Lanes, choose
from kernelwright.agents.builtin.lazy import Reduction
from kernelwright.agents.builtin.optext import SCALAR, VECTOR, combine, neutral
from kernelwright.agents.builtin.scope import Name, Scope, indented, loop_name, renumbered
from kernelwright.agents.builtin.values import Values

PARALLEL_FROM = 60_000
"""Work (vector multiplications, by element) from which a second thread pays."""
BLOCK = 4096
"""Elements of a flat loop that one task takes."""
STASH_FROM = 8
"""Cost, in vector multiplications, from which a value is kept rather than computed again."""
STASH_BYTES = 128 * 1024
"""Largest row that is kept on a thread's stack."""


class KernelText(Values):
    """Writes one kernel."""

    def __init__(self, kernel: Kernel, threads: bool = True) -> None:
        super().__init__(kernel)
        self.lanes: Lanes = choose(kernel)
        self.parallel = threads and kernel.work() >= PARALLEL_FROM
        self.bounds: dict[Var, tuple[str, str]] = {}
        """Loops that run over a part of their range: C++ of first and last + 1."""
        self.stashed: set[Expr] = set()
        self.stashes: dict[Expr, tuple[str, list[Var]]] = {}

    # ---- loops ----

    def write(self) -> str:
        """The whole function, without its parameters filled in by `signature`."""
        kernel = self.kernel
        top = Scope(None, frozenset())
        rows = [v for v in kernel.prefix if v is not self.lanes.prefix]
        blocked: Var | None = None
        step = 0
        parts = kernel.parts
        total = math.prod(v.extent for v in rows)
        if self.lanes.prefix is not None:
            blocked, step = self.lanes.prefix, self._lane_block(self.lanes.prefix, total)
        elif not kernel.prefix and len(parts) == 1 and parts[0].loops and self._divisible(parts[0]):
            loops = self.order(parts[0].loops, self.lanes.part(0))
            rows, rest = loops[:-1], loops[-1:]
            parts = [Part(rest, parts[0].stores)]
            total = math.prod(v.extent for v in rows)
            if total < 64:
                blocked, step = rest[0], max(BLOCK, rest[0].extent // 256 // 64 * 64)
            if rest[0] is not self.lanes.part(0):
                blocked = None
        tasks = total * (math.ceil(blocked.extent / step) if blocked else 1)
        scope = Scope(top, frozenset(rows))
        body = self._decode(rows, blocked, step, scope)
        if self.lanes.prefix is not None:
            self.vector_loop(
                self.lanes.prefix, scope, lambda inner: self.block(inner, parts), unroll=False
            )
        else:
            self.block(scope, parts)
        text = list(top.lines)
        if tasks > 1:
            if self.parallel:
                self.traits.add("THREADS")
                text.append(
                    "#pragma omp parallel for schedule(static) num_threads(THREADS) if(THREADS > 1)"
                )
            text.append(f"for (long p = 0; p < {tasks}L; ++p) {{")
            text += indented([*body, *scope.lines])
            text.append("}")
        else:
            text += ["{ const long p = 0; (void)p;", *indented([*body, *scope.lines]), "}"]
        return renumbered("\n".join(indented(text)))

    def write_row(self) -> str:
        """The body for row number `p` alone, for a caller that has the loop over rows."""
        scope = Scope(Scope(None, frozenset()), frozenset(self.kernel.prefix))
        body = self._decode(self.kernel.prefix, None, 0, scope)
        self.block(scope, self.kernel.parts)
        assert scope.parent is not None
        return renumbered("\n".join(indented([*scope.parent.lines, *body, *scope.lines])))

    def _divisible(self, part: Part) -> bool:
        """Whether tasks may share the loops of a part.

        Not along a scan, nor where a reduction depends on none of the loops: its own may be unified with
        them, and every task would have to run all of it.
        """
        loops = set(part.loops)
        return not self._has_scan() and all(
            loops & self.kernel.free(n)
            for n in self.kernel.everything(self.kernel.roots)
            if n.op == "red" and n.attr[0].block is None
        )

    def _has_scan(self) -> bool:
        return any(n.op == "scan" for n in self.kernel.everything(self.kernel.roots))

    def _lane_block(self, v: Var, others: int) -> int:
        """Elements of the vector variable that one task takes."""
        if others >= 64:
            return v.extent
        return min(v.extent, max(64, math.ceil(v.extent / 64) // 64 * 64))

    def _decode(
        self, rows: Sequence[Var], blocked: Var | None, step: int, scope: Scope
    ) -> list[str]:
        """Loop variables out of the task's number p."""
        lines: list[str] = []
        position = "p"
        if blocked is not None:
            count = math.ceil(blocked.extent / step)
            lo, hi = self.fresh("lo"), self.fresh("hi")
            number = f"({position} % {count}L)" if rows else position
            lines.append(f"const long {lo} = {number} * {step}L;")
            lines.append(
                f"const long {hi} = {lo} + {step}L < {blocked.extent}L ? {lo} + {step}L : {blocked.extent}L;"
            )
            self.bounds[blocked] = (lo, hi)
            if rows:
                lines.append(f"const long q = p / {count}L;")
                position = "q"
        left = math.prod(v.extent for v in rows)
        for v in rows:
            left //= v.extent
            text = position if left == 1 else f"{position} / {left}L"
            if v is not rows[0]:
                text = f"({text}) % {v.extent}L"
            lines.append(f"const long {loop_name(v)} = {text};")
        return lines

    def order(self, loops: Sequence[Var], lane: Var | None) -> list[Var]:
        """Loops with the vector variable innermost."""
        if lane is None or lane not in loops:
            return list(loops)
        return [*(v for v in loops if v is not lane), lane]

    def block(self, scope: Scope, parts: Sequence[Part]) -> None:
        """Reductions of this scope, then every part."""
        self._plan_stash(scope, parts)
        self.reductions([s.expr for p in parts for s in p.stores], scope)
        for part in parts:
            lane = None
            if scope.lanes is None:
                lane = (
                    self.lanes.part(self.kernel.parts.index(part))
                    if part in self.kernel.parts
                    else self.lanes.part(0)
                )
            loops = self.order(part.loops, lane)
            self.nest(loops, lane, scope, lambda inner, u, p=part: self._finish(p, inner))  # type: ignore[misc]

    def _finish(self, part: Part, scope: Scope) -> None:
        self.reductions([s.expr for s in part.stores], scope)
        stores = list(part.stores)
        while stores:
            store = stores.pop(0)
            if stores and self.store_pair(store, stores[0], scope):
                stores.pop(0)
            else:
                self.store(store, scope)

    def nest(
        self,
        loops: Sequence[Var],
        lane: Var | None,
        scope: Scope,
        heart: Callable[[Scope, str], None],
        unroll: bool = False,
        before: Callable[[Scope, int], None] | None = None,
        after: Callable[[Scope, int], None] | None = None,
    ) -> None:
        """Loops one inside the other; `heart(scope, accumulator number)` writes the innermost body."""
        if not loops:
            if before:
                before(scope, 0)
            heart(scope, "0")
            if after:
                after(scope, 0)
            return
        self._nest(list(loops), 0, lane, scope, heart, unroll, before, after)

    def _nest(
        self, loops: list[Var], level: int, lane: Var | None, scope: Scope,
        heart: Callable[[Scope, str], None], unroll: bool,
        before: Callable[[Scope, int], None] | None, after: Callable[[Scope, int], None] | None,
    ) -> None:  # fmt: skip
        v = loops[level]
        if before:
            before(scope, level)
        if level == len(loops) - 1:
            if v is lane:
                self.vector_loop(v, scope, lambda s: heart(s, "u"), unroll)
            else:
                self.scalar_loop(v, scope, lambda s: heart(s, "u"), unroll)
        else:
            inner = Scope(scope, scope.bound | {v}, scope.lanes)
            self._nest(loops, level + 1, lane, inner, heart, unroll, before, after)
            lo, hi = self.bounds.get(v, ("0", f"{v.extent}L"))
            if v not in self.bounds and math.prod(x.extent for x in loops[level:]) <= SMALL:
                scope.lines.append(f"#pragma GCC unroll {SMALL}")
            scope.lines += [
                f"for (long {loop_name(v)} = {lo}; {loop_name(v)} < {hi}; ++{loop_name(v)}) {{",
                *indented(inner.lines),
                "}",
            ]
        if after:
            after(scope, level)

    def scalar_loop(
        self, v: Var, scope: Scope, heart: Callable[[Scope], None], unroll: bool
    ) -> None:
        """A loop in steps of one, several at a time where `unroll`."""
        inner = Scope(scope, scope.bound | {v}, scope.lanes)
        heart(inner)
        lo, hi = self.bounds.get(v, ("0", f"{v.extent}L"))
        i = loop_name(v)
        if not unroll or v.extent < 4:
            if v.extent <= SMALL and v not in self.bounds:
                scope.lines.append(f"#pragma GCC unroll {SMALL}")
            scope.lines += [
                f"for (long {i} = {lo}; {i} < {hi}; ++{i}) {{ constexpr int u = 0; (void)u;",
                *indented(inner.lines),
                "}",
            ]
            return
        self.traits.add("UNROLL")
        scope.lines += [
            "{",
            f"  auto step = [&](long {i}, int u) __attribute__((always_inline)) {{",
            *indented(indented(inner.lines)),
            "  };",
            f"  long i = {lo};",
            f"  for (; i + UNROLL <= {hi}; i += UNROLL) {{",
            "    #pragma GCC unroll 16",
            "    for (int u = 0; u < UNROLL; ++u) step(i + u, u);",
            "  }",
            f"  for (; i < {hi}; ++i) step(i, 0);",
            "}",
        ]

    def vector_loop(
        self, v: Var, scope: Scope, heart: Callable[[Scope], None], unroll: bool
    ) -> None:
        """A loop in steps of a vector, with a masked end."""
        inner = Scope(scope, scope.bound | {v}, v)
        heart(inner)
        lo, hi = self.bounds.get(v, ("0", f"{v.extent}L"))
        i = loop_name(v)
        lines = [
            "{",
            f"  auto step = [&](long {i}, auto t, int u) __attribute__((always_inline)) {{ (void)u; (void)t;",
            *indented(indented(inner.lines)),
            "  };",
            f"  long i = {lo};",
        ]
        if unroll and v.extent >= 32:
            self.traits.add("UNROLL")
            lines += [
                f"  for (; i + UNROLL * kw::W <= {hi}; i += UNROLL * kw::W) {{",
                "    #pragma GCC unroll 16",
                "    for (int u = 0; u < UNROLL; ++u) step(i + u * kw::W, kw::Full(), u);",
                "  }",
            ]
        lines += [
            f"  for (; i + kw::W <= {hi}; i += kw::W) step(i, kw::Full(), 0);",
            f"  if (i < {hi}) step(i, kw::Tail{{{hi} - i}}, 0);",
            "}",
        ]
        scope.lines += lines

    # ---- reductions ----

    def reductions(self, roots: Sequence[Expr], scope: Scope) -> None:
        """Run every reduction that this scope knows enough for, those it needs first."""
        while True:
            ready = self._ready(roots, scope)
            if not ready:
                return
            groups: dict[tuple[int, ...], list[Expr]] = {}
            for node in ready:
                groups.setdefault(self._extents(node), []).append(node)
            for members in groups.values():
                self.passes(members, scope)

    def _extents(self, node: Expr) -> tuple[int, ...]:
        reduction: Reduction = node.attr[0]
        block = (reduction.block or 0,)
        return (*block, *(v.extent for v in self.kernel.loops_of(reduction).loops))

    def _ready(self, roots: Sequence[Expr], scope: Scope) -> list[Expr]:
        """Reductions that can run now: all variables known, none pending inside."""
        done = {n for around in scope.chain() for n in around.names}
        pending: dict[Expr, None] = {}

        def look(node: Expr) -> bool:
            """Whether something below the node still has to run in this scope."""
            waits = False
            for n in walk([node]):
                if n.op == "red" and n not in done and self.kernel.free(n) <= scope.bound:
                    if not look(self.kernel.body(n)):
                        pending[n] = None
                    waits = True
                elif (n.op == "red" and n not in done) or n.op == "scan":
                    waits |= look(self.kernel.body(n))
            return waits

        for root in roots:
            look(root)
        return list(pending)

    def passes(self, nodes: list[Expr], scope: Scope) -> None:
        """Reductions over equal ranges, in one pass."""
        first = self.kernel.loops_of(nodes[0].attr[0])
        loops = first.loops
        bodies: list[Expr] = []
        for node in nodes:
            own = self.kernel.loops_of(node.attr[0])
            self._unify(own.loops, loops)
            bodies.append(self.kernel.body(node))
        for node in nodes:
            if node.attr[0].block is not None:
                self._block_bounds(node, loops[0], scope)
        bodies = [self.kernel.body(node) for node in nodes]
        lane = None
        if scope.lanes is None:
            lane = self.lanes.reduction(nodes[0].attr[0], self.kernel, bodies)
        rows = {v for n in walk(bodies) if n.op == "red" for v in self.kernel.free(n) if v in loops}
        loops = self.order(sorted(loops, key=lambda v: v not in rows), lane)
        accumulators = [
            Accumulator(self, node, body, scope, lane, loops)
            for node, body in zip(nodes, bodies, strict=True)
        ]

        def heart(inner: Scope, u: str) -> None:
            self.reductions(bodies, inner)
            for a in accumulators:
                a.step(inner, u)

        for a in accumulators:
            a.declare_total(scope)

        def before(s: Scope, level: int) -> None:
            if level and rows:
                self.reductions(bodies, s)
            for a in accumulators:
                if a.level == level:
                    a.declare(s)

        def after(s: Scope, level: int) -> None:
            for a in accumulators:
                if a.level == level:
                    a.flush(s)

        self.nest(loops, lane, scope, heart, not accumulators[0].small, before, after)
        for node, a in zip(nodes, accumulators, strict=True):
            scope.names[node] = a.result(scope)

    def _unify(self, old: list[Var], new: list[Var]) -> None:
        """Let a reduction run over another one's loops."""
        mapping = {a: b for a, b in zip(old, new, strict=True) if a is not b}
        if not mapping:
            return
        self.kernel.rename(mapping)

    def _block_bounds(self, node: Expr, v: Var, scope: Scope) -> None:
        """The first loop of a partial reduction runs over one block."""
        if v in self.bounds:
            return
        reduction: Reduction = node.attr[0]
        lo, hi = self.fresh("lo"), self.fresh("hi")
        extent = reduction.ranges[0]
        number = self.place(node.attr[1][0], scope)
        scope.lines.append(f"const long {lo} = {number} * {reduction.block}L;")
        end = f"{lo} + {reduction.block}L"
        scope.lines.append(f"const long {hi} = {end} < {extent}L ? {end} : {extent}L;")
        self.bounds[v] = (lo, hi)

    # ---- scans ----

    def scan(self, node: Expr, scope: Scope) -> Name:
        """A running total: the carry lives outside of the loop."""
        scan, place = node.attr
        body = self.kernel.body(node)
        x = self.value(body, scope)
        v = next(iter(place[scan.dim].vars))
        outside = next(s for s in scope.chain() if v not in s.bound)
        f = combine(scan.scans, node.kind)
        zero = neutral(scan.scans, node.kind)
        carry, name = self.fresh("carry"), self.fresh()
        if scope.lanes is v:
            kind, wide = VECTOR[node.kind], "double" if node.kind == "f32" else SCALAR[node.kind]
            text = self.broadcast(x, body, True)
            outside.lines.append(f"{wide} {carry} = {zero};")
            g = f"[](auto a, auto b) {{ return {f}(a, b); }}"
            kept = f"kw::keep({text}, kw::set<{kind}>({zero}), t)"
            scope.lines += [
                f"const {kind} {name}_ = kw::running<{kind}>({kept}, {g}, {zero});",
                f"const {kind} {name} = {f}<{kind}>({name}_, kw::set<{kind}>(({SCALAR[node.kind]}){carry}));",
                f"{carry} = {f}<{wide}>({carry}, ({wide}){name}_[kw::W - 1]);",
            ]
            result = Name(name, True)
        else:
            vector = scope.lanes is not None
            kind = (VECTOR if vector else SCALAR)[node.kind]
            start = f"kw::set<{kind}>({zero})" if vector else zero
            outside.lines.append(f"{kind} {carry} = {start};")
            scope.lines.append(
                f"{carry} = {f}<{kind}>({carry}, {self.broadcast(x, body, vector)});"
            )
            scope.lines.append(f"const {kind} {name} = {carry};")
            result = Name(name, vector)
        scope.names[node] = result
        return result

    # ---- stash ----

    def _plan_stash(self, scope: Scope, parts: Sequence[Part]) -> None:
        """Let reductions of a row share the loops of the part that uses them, and choose what of
        their work is kept for it."""
        if len(parts) != 1 or not parts[0].loops or self._has_scan():
            return
        loops = parts[0].loops
        roots = [store.expr for store in parts[0].stores]
        nodes = self._row_reductions(roots, scope)
        for node in nodes:
            own = self.kernel.loops_of(node.attr[0]).loops
            if [v.extent for v in own] == [v.extent for v in loops]:
                self._unify(own, loops)
        bodies = [
            self.kernel.body(node)
            for node in self._row_reductions(roots, scope)
            if self.kernel.loops_of(node.attr[0]).loops == loops
        ]
        lane = self.lanes.prefix or self.order(loops, self.lanes.parts[0])[-1]
        if not bodies or (self.lanes.prefix is None and lane is not loops[-1]):
            return
        again = set(walk(roots))
        shared = [n for n in walk(bodies) if n in again and n.args and n.kind == "f32"]
        size = math.prod(v.extent for v in loops) * (16 if self.lanes.prefix else 1)
        inside: set[Expr] = set()
        chosen: list[Expr] = []
        for node in reversed(shared):
            below = walk([node])
            cost = sum(WEIGHTS.get(n.op, 1) for n in below if n.vars & set(loops))
            if node not in inside and cost >= STASH_FROM and node.vars & {*loops[-1:], lane}:
                chosen.append(node)
                inside.update(below)
        if not chosen or 4 * size * len(chosen) > STASH_BYTES:
            return
        self.traits.add("STASH")
        for node in chosen:
            name = self.fresh("row")
            lanes = " * kw::W" if self.lanes.prefix else ""
            extent = math.prod(v.extent for v in loops)
            scope.lines += [
                "#if STASH",
                f"alignas(64) float {name}[{extent}{lanes}];",
                "#endif",
            ]
            self.stashes[node] = (name, loops)

    def _row_reductions(self, roots: Sequence[Expr], scope: Scope) -> list[Expr]:
        """Reductions that run once for all of a scope."""
        return [
            n
            for n in self.kernel.everything(roots)
            if n.op == "red" and n.attr[0].block is None and self.kernel.free(n) <= scope.bound
        ]

    def declare(self, node: Expr, name: Name, text: str, home: Scope) -> None:
        """Write a value; one that is kept for a later pass goes to memory, and is read back there."""
        kind = (VECTOR if name.vector else SCALAR)[node.kind]
        compute = f"const {kind} {name.text} = {text};"
        stash = self.stashes.get(node)
        if stash is None:
            home.lines.append(compute)
            return
        array, loops = stash
        place = tuple(index.var(v) for v in loops)
        if not name.vector or not set(loops) & home.bound or not node.vars & home.bound:
            home.lines.append(compute)
            return
        at = self.place(index.linear(place, tuple(v.extent for v in loops)), home)
        if self.lanes.prefix is not None:
            at, end = f"{at} * kw::W", "kw::Full()"
        else:
            end = "t"
        if node not in self.stashed:
            self.stashed.add(node)
            home.lines += [
                compute,
                "#if STASH",
                f"kw::st({array} + {at}, {name.text}, {end});",
                "#endif",
            ]
            return
        home.lines += [
            "#if STASH",
            f"const {kind} {name.text} = kw::ld<{kind}>({array} + {at}, {end});",
            "#else",
            compute,
            "#endif",
        ]
