"""Kernels as C++ text: nested loops, values hoisted to where their variables are known.

Each value is written once, in the outermost scope that knows all it depends on. Inside a vector loop
the body is a lambda that is instantiated twice: for full vectors and for the masked end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.expr import WEIGHTS, Buffer, Expr, children, walk
from kernelwright.agents.builtin.index import Clamp, Div, Index, Mod, Value, Var
from kernelwright.agents.builtin.kernel import Kernel, Part, Store
from kernelwright.agents.builtin.lanes import Lanes, choose
from kernelwright.agents.builtin.lazy import Reduction
from kernelwright.agents.builtin.optext import (
    ELEMENT,
    SCALAR,
    VECTOR,
    combine,
    literal,
    neutral,
    operation,
)

CHAIN = 16_384
"""A sum of more elements than this is cut, and the parts are added in a wider accumulator."""
PARALLEL_FROM = 60_000
"""Work (vector multiplications, by element) from which a second thread pays."""
BLOCK = 4096
"""Elements of a flat loop that one task takes."""
SMALL = 32
"""Loops of so many turns are written out by the compiler."""
STASH_FROM = 8
"""Cost, in vector multiplications, from which a value is kept rather than computed again."""
STASH_BYTES = 128 * 1024
"""Largest row that is kept on a thread's stack."""


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


class KernelText:
    """Writes one kernel."""

    def __init__(self, kernel: Kernel, threads: bool = True) -> None:
        self.kernel = kernel
        self.lanes: Lanes = choose(kernel)
        self.numbers = 0
        self.buffers: dict[Buffer, bool] = {}
        """Buffers used, and whether they are written."""
        self.parallel = threads and kernel.work() >= PARALLEL_FROM
        self.traits: set[str] = set()
        """Names of the tuning space that matter here."""
        self.bounds: dict[Var, tuple[str, str]] = {}
        """Loops that run over a part of their range: C++ of first and last + 1."""
        self.inverses = True
        """Divide a row by one number through its inverse."""
        self.inverted: dict[str, str] = {}
        self.stashed: set[Expr] = set()
        self.stashes: dict[Expr, tuple[str, list[Var]]] = {}

    # ---- names ----

    def fresh(self, stem: str = "v") -> str:
        """A new C++ name."""
        self.numbers += 1
        return f"{stem}{self.numbers}"

    def pointer(self, buffer: Buffer, written: bool = False) -> str:
        """The name of a buffer's pointer, noting its use."""
        self.buffers[buffer] = self.buffers.get(buffer, False) or written
        return buffer.name

    # ---- values ----

    def value(self, node: Expr, scope: Scope) -> Name:
        """Write a node, unless that has been done, and give its name."""
        for around in scope.chain():
            if node in around.names:
                return around.names[node]
        if node.op == "const":
            return Name(literal(node.attr, node.kind), False)
        if node.op == "red":
            raise AssertionError(f"reduction used before it ran: {node}")
        inner = [self.value(child, scope) for child in children(node)]
        home = self.home(node, scope)
        if node.op == "scan":
            return self.scan(node, home)
        vector = any(n.vector for n in inner) or (
            home.lanes is not None and not node.args and home.lanes in node.vars
        )
        text = self.text(node, inner, vector, home)
        name = Name(self.fresh(), vector)
        kind = (VECTOR if vector else SCALAR)[node.kind]
        if vector and node.kind in ("i64", "f64"):
            self.traits.add("WIDE")
        stash = self.stashes.get(node)
        if stash is not None:
            self.keep(node, name, text, kind, stash, home)
        else:
            home.lines.append(f"const {kind} {name.text} = {text};")
        home.names[node] = name
        return name

    def home(self, node: Expr, scope: Scope) -> Scope:
        """The outermost scope that knows all a node needs."""
        chain = scope.chain()
        needs: set[Var] = set(node.vars) if not node.args else set()
        reds: list[Expr] = []
        deepest: Scope | None = None
        for child in children(node):
            for around in chain:
                if child in around.names:
                    if deepest is None or around.depth > deepest.depth:
                        deepest = around
                    break
            if child.op == "red":
                reds.append(child)
        if node.op in ("load", "index", "inrange"):
            needs = {
                v for i in _places(node) for a in index.atoms(i) if isinstance(a, Var) for v in (a,)
            }
        if node.op == "scan":
            return scope
        result = scope
        for around in chain:
            if needs <= around.bound and (deepest is None or around.depth >= deepest.depth):
                result = around
        if node.op == "bound" and result.parent is None and scope.parent is not None:
            return [s for s in chain if s.parent is not None][-1]
        return result

    def text(self, node: Expr, inner: list[Name], vector: bool, scope: Scope) -> str:
        """The right-hand side of a node."""
        if node.op == "load":
            return self.load(node, vector, scope)
        if node.op == "index":
            return self.index_number(node.attr, vector, scope)
        if node.op == "inrange":
            i, low, high = node.attr
            if not vector:
                x = self.place(i, scope)
                return f"({x}) >= {low}L && ({x}) < {high}L"
            x = self.index_lanes(i, scope, "kw::I")
            ranges = i.bounds
            tests = [f"x >= {low}"] if ranges[0] < low else []
            tests += [f"x < {high}"] if ranges[1] >= high else []
            return f"[&] {{ const kw::I x = {x}; return {' & '.join(f'({t})' for t in tests)}; }}()"
        if node.op == "bound":
            size, negative = node.attr
            if vector:
                return (
                    f"kw::checked_lanes<{VECTOR[node.kind]}>({inner[0].text}, {size}L, "
                    f"{str(negative).lower()}, t)"
                )
            return (
                f"kw::checked<{SCALAR[node.kind]}>({inner[0].text}, {size}L, "
                f"{str(negative).lower()})"
            )
        self.note(node)
        if (
            node.op == "div"
            and vector
            and inner[0].vector
            and not inner[1].vector
            and self.inverses
        ):
            return f"{inner[0].text} * {self.inverse(node.args[1], inner[1], scope)}"
        args = [
            n.text if n.vector or not vector else f"kw::set<{VECTOR[a.kind]}>({_mask(n.text, a)})"
            for n, a in zip(inner, node.args, strict=True)
        ]
        return operation(node, args, vector)

    def inverse(self, node: Expr, name: Name, scope: Scope) -> str:
        """1 / node, once for all lanes and all turns of the loops inside."""
        if name.text not in self.inverted:
            home = next((s for s in scope.chain() if node in s.names), scope.chain()[-1])
            text = self.fresh("inverse")
            kind = SCALAR[node.kind]
            home.lines.append(f"const {kind} {text} = {literal(1, node.kind)} / {name.text};")
            self.inverted[name.text] = text
        return f"kw::set<{VECTOR[node.kind]}>({self.inverted[name.text]})"

    def note(self, node: Expr) -> None:
        """Remember what of the tuning space a node brings in."""
        if node.op in ("exp", "sigmoid"):
            self.traits.add("EXP_DEGREE")

    def broadcast(self, name: Name, node: Expr, vector: bool) -> str:
        """The name, as a vector where one is wanted."""
        if name.vector or not vector:
            return name.text
        return f"kw::set<{VECTOR[node.kind]}>({_mask(name.text, node)})"

    # ---- memory ----

    def load(self, node: Expr, vector: bool, scope: Scope) -> str:
        buffer, where = node.attr
        p = self.pointer(buffer)
        flag = node.kind == "b"
        if not vector:
            at = self.place(where, scope)
            return f"kw::ldb1({p} + {at})" if flag else f"kw::ld1<{SCALAR[node.kind]}>({p} + {at})"
        assert scope.lanes is not None
        v = VECTOR[node.kind]
        if where.coefficient(scope.lanes) == 1:
            at = self.place(where, scope)
            return f"kw::ldb({p} + {at}, t)" if flag else f"kw::ld<{v}>({p} + {at}, t)"
        if where.coefficient(scope.lanes) == 2 and node.kind == "f32":
            return f"kw::ld_even<{v}>({p} + {self.place(where, scope)}, t)"
        if buffer.dtype == torch.float32 and self._pickable(where, scope):
            return f"kw::pick({p}, {self.index_lanes(where, scope, 'kw::I')}, t)"
        at = self.place(where, scope, lane=True)
        one = (
            f"(int32_t)-kw::ldb1({p} + {at})"
            if flag
            else f"kw::ld1<{SCALAR[node.kind]}>({p} + {at})"
        )
        return f"kw::gather<{v}>(t, [&](long l) {{ return {one}; }})"

    def _pickable(self, i: Index, scope: Scope) -> bool:
        """Whether all lanes of an index can be computed as a vector of int32."""
        assert scope.lanes is not None
        if i.bounds[1] >= 2**31 or i.bounds[0] < 0:
            return False
        return all(
            isinstance(a, Var) or (isinstance(a, Value)) or scope.lanes not in a.of.vars
            for a, _ in i.terms
        )

    def store_pair(self, first: Store, second: Store, scope: Scope) -> bool:
        """Write two stores to neighbouring elements as one, where they are."""
        lane = scope.lanes
        if (
            lane is None
            or first.buffer is not second.buffer
            or first.expr.kind != "f32"
            or first.index.coefficient(lane) != 2
            or (second.index - first.index) != index.const(1)
        ):
            return False
        a, b = self.value(first.expr, scope), self.value(second.expr, scope)
        at = self.place(first.index, scope)
        x, y = (self.broadcast(n, s.expr, True) for n, s in ((a, first), (b, second)))
        p = self.pointer(first.buffer, True)
        scope.lines.append(f"kw::st_pairs({p} + {at}, {x}, {y}, t);")
        return True

    def store(self, store: Store, scope: Scope) -> None:
        """Write one element, or a vector of them."""
        name = self.value(store.expr, scope)
        p = self.pointer(store.buffer, True)
        flag = store.expr.kind == "b"
        if scope.lanes is None or scope.lanes not in store.index.vars:
            scope.lines.append(f"kw::st1({p} + {self.place(store.index, scope)}, {name.text});")
            return
        text = self.broadcast(name, store.expr, True)
        if store.index.coefficient(scope.lanes) == 1:
            at = self.place(store.index, scope)
            scope.lines.append(f"kw::{'stb' if flag else 'st'}({p} + {at}, {text}, t);")
            return
        at = self.place(store.index, scope, lane=True)
        local = self.fresh()
        scope.lines.append(f"const {VECTOR[store.expr.kind]} {local} = {text};")
        one = f"({local}[l] != 0)" if flag else f"{local}[l]"
        scope.lines.append(f"kw::each_lane(t, [&](long l) {{ kw::st1({p} + {at}, {one}); }});")

    def place(self, i: Index, scope: Scope, lane: bool = False) -> str:
        """C++ of an index; with `lane`, that of lane number l."""
        parts = []
        for atom, coefficient in i.terms:
            text = self.atom(atom, scope, lane)
            parts.append(text if coefficient == 1 else f"{coefficient}L * {text}")
        if i.constant or not parts:
            parts.append(f"{i.constant}L")
        return (
            " + ".join(parts).replace("+ -", "- ") if len(parts) == 1 else f"({' + '.join(parts)})"
        )

    def atom(self, atom: index.Atom, scope: Scope, lane: bool) -> str:
        """C++ of a part of an index."""
        if isinstance(atom, Var):
            return f"({_var(atom)} + l)" if lane and atom is scope.lanes else _var(atom)
        if isinstance(atom, Value):
            name = self.value(atom.expr, scope)
            return f"(long){name.text}[l]" if name.vector else f"(long){name.text}"
        of = self.place(atom.of, scope, lane)
        low = atom.of.bounds[0]
        if isinstance(atom, Clamp):
            return f"kw::clamp_index({of}, {atom.low}L, {atom.high}L)"
        if isinstance(atom, Div):
            return f"({of}) / {atom.by}L" if low >= 0 else f"kw::floordiv<long>({of}, {atom.by}L)"
        assert isinstance(atom, Mod)
        return f"(({of}) % {atom.by}L)" if low >= 0 else f"kw::rem<long>({of}, {atom.by}L)"

    def index_number(self, i: Index, vector: bool, scope: Scope) -> str:
        """An index as an int64 value."""
        if not vector:
            return f"(int64_t)({self.place(i, scope)})"
        return self.index_lanes(i, scope, "kw::L")

    def index_lanes(self, i: Index, scope: Scope, kind: str) -> str:
        """All lanes of an index, as a vector of integers."""
        lane = scope.lanes
        assert lane is not None
        number = "int32_t" if kind == "kw::I" else "int64_t"
        base = Index((), i.constant)
        parts: list[str] = []
        for atom, coefficient in i.terms:
            times = "" if coefficient == 1 else f" * ({number}){coefficient}"
            if atom is lane:
                base += index.var(lane) * coefficient
                parts.append(f"kw::iota<{kind}>(){times}")
            elif isinstance(atom, Value) and (name := self.value(atom.expr, scope)).vector:
                parts.append(f"kw::to<{number}>({name.text}){times}")
            elif not isinstance(atom, Var | Value) and lane in atom.of.vars:
                return f"kw::gather<{kind}>(kw::Full(), [&](long l) {{ return {self.place(i, scope, True)}; }})"
            else:
                base += Index(((atom, coefficient),))
        if base.terms or base.constant or not parts:
            parts.insert(0, f"kw::set<{kind}>(({number})({self.place(base, scope)}))")
        return " + ".join(parts)

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
        elif not kernel.prefix and len(parts) == 1 and parts[0].loops and not self._has_scan():
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
            text += _indented([*body, *scope.lines])
            text.append("}")
        else:
            text += ["{ const long p = 0; (void)p;", *_indented([*body, *scope.lines]), "}"]
        return "\n".join(_indented(text))

    def write_row(self) -> str:
        """The body for row number `p` alone, for a caller that has the loop over rows."""
        scope = Scope(Scope(None, frozenset()), frozenset(self.kernel.prefix))
        body = self._decode(self.kernel.prefix, None, 0, scope)
        self.block(scope, self.kernel.parts)
        assert scope.parent is not None
        return "\n".join(_indented([*scope.parent.lines, *body, *scope.lines]))

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
            lines.append(f"const long {_var(v)} = {text};")
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
                f"for (long {_var(v)} = {lo}; {_var(v)} < {hi}; ++{_var(v)}) {{",
                *_indented(inner.lines),
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
        i = _var(v)
        if not unroll or v.extent < 4:
            if v.extent <= SMALL and v not in self.bounds:
                scope.lines.append(f"#pragma GCC unroll {SMALL}")
            scope.lines += [
                f"for (long {i} = {lo}; {i} < {hi}; ++{i}) {{ constexpr int u = 0; (void)u;",
                *_indented(inner.lines),
                "}",
            ]
            return
        self.traits.add("UNROLL")
        scope.lines += [
            "{",
            f"  auto step = [&](long {i}, int u) __attribute__((always_inline)) {{",
            *_indented(_indented(inner.lines)),
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
        i = _var(v)
        lines = [
            "{",
            f"  auto step = [&](long {i}, auto t, int u) __attribute__((always_inline)) {{ (void)u; (void)t;",
            *_indented(_indented(inner.lines)),
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
                elif n.op == "red" and n not in done:
                    waits |= look(self.kernel.body(n))
                elif n.op == "scan":
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
        loops = self.order(loops, lane)
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
        from kernelwright.agents.builtin.expr import substitute

        indices = {a: index.var(b) for a, b in mapping.items()}
        for inner in self.kernel.inner.values():
            if any(v in mapping for v in inner.loops):
                inner.loops = [mapping.get(v, v) for v in inner.loops]
                inner.place = tuple(
                    p.substitute(indices, lambda e: substitute([e], indices)[0])
                    for p in inner.place
                )
        self.kernel.forget()

    def _block_bounds(self, node: Expr, v: Var, scope: Scope) -> None:
        """The first loop of a partial reduction runs over one block."""
        if v in self.bounds:
            return
        reduction: Reduction = node.attr[0]
        lo, hi = self.fresh("lo"), self.fresh("hi")
        extent = reduction.ranges[0]
        number = self.place(node.attr[1][0], scope)
        scope.lines.append(f"const long {lo} = {number} * {reduction.block}L;")
        scope.lines.append(
            f"const long {hi} = {lo} + {reduction.block}L < {extent}L ? {lo} + {reduction.block}L : {extent}L;"
        )
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
            scope.lines += [
                f"const {kind} {name}_ = kw::running<{kind}>(kw::keep({text}, kw::set<{kind}>({zero}), t), {g}, {zero});",
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

    def keep(
        self,
        node: Expr,
        name: Name,
        text: str,
        kind: str,
        stash: tuple[str, list[Var]],
        home: Scope,
    ) -> None:
        """Write a value that is kept for a later pass, or read it back there."""
        array, loops = stash
        compute = f"const {kind} {name.text} = {text};"
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


class Accumulator:
    """The running value of one reduction."""

    def __init__(
        self, text: KernelText, node: Expr, body: Expr, scope: Scope, lane: Var | None,
        loops: list[Var],
    ) -> None:  # fmt: skip
        self.text, self.node, self.body, self.lane = text, node, body, lane
        self.reduction: Reduction = node.attr[0]
        self.places = self.reduction.reduces in ("argmax", "argmin")
        self.kind = body.kind
        self.outer_lanes = scope.lanes
        self.vector = lane is not None or (
            scope.lanes is not None and scope.lanes in text.kernel.free(node)
        )
        self.name = text.fresh("a")
        self.loops = loops
        self.small = (
            lane is None
            and math.prod(v.extent for v in loops) <= SMALL
            and not set(loops) & text.bounds.keys()
        )
        """A window: written out, with one accumulator."""
        self.count = "1" if self.small else "UNROLL"
        self.level = self._level()
        self.total: str | None = f"{self.name}_total" if self.level > 0 or self._long() else None
        if self.places:
            self.level, self.total = 0, None

    def _level(self) -> int:
        """The loop outside of which accumulators start anew: inside it a chain is short enough."""
        if self.reduction.reduces != "sum" or self.kind not in ("f32",):
            return 0
        for level in range(len(self.loops)):
            if math.prod(v.extent for v in self.loops[level:]) <= CHAIN:
                return level
        return max(len(self.loops) - 1, 0)

    def _long(self) -> bool:
        return False

    @property
    def type(self) -> str:
        """C++ type of an accumulator."""
        return (VECTOR if self.vector else SCALAR)[self.kind]

    @property
    def neutral(self) -> str:
        """The value it starts from, as its type."""
        zero = neutral(self.reduction.reduces, self.kind)
        if not self.vector:
            return zero
        return f"kw::set<{self.type}>({_mask_text(zero, self.kind)})"

    def declare_total(self, scope: Scope) -> None:
        """The accumulator of accumulators, where there is one."""
        if self.total is None:
            return
        own = self.lane is None and self.vector
        kind = self.type if own else "double"
        scope.lines.append(f"{kind} {self.total} = {self.neutral if own else '0'};")

    def declare(self, scope: Scope) -> None:
        """The accumulators of one chain."""
        scope.lines.append(f"{self.type} {self.name}[{self.count}];")
        scope.lines.append(
            f"for (int u = 0; u < {self.count}; ++u) {self.name}[u] = {self.neutral};"
        )
        if self.places:
            i = "kw::I" if self.vector else "int32_t"
            start = "kw::set<kw::I>(0)" if self.vector else "0"
            scope.lines.append(f"{i} {self.name}_at[{self.count}];")
            scope.lines.append(
                f"for (int u = 0; u < {self.count}; ++u) {self.name}_at[u] = {start};"
            )

    def step(self, scope: Scope, u: str) -> None:
        """Take in one element, or one vector of them."""
        x = self.text.value(self.body, scope)
        text = self.text.broadcast(x, self.body, self.vector)
        if self.lane is not None:
            text = f"kw::keep({text}, {self.neutral}, t)"
        a = f"{self.name}[{u}]"
        if not self.places:
            f = combine(self.reduction.reduces, self.kind)
            scope.lines.append(f"{a} = {f}<{self.type}>({a}, {text});")
            return
        inner = self.text.kernel.loops_of(self.reduction)
        position = index.linear(inner.place, self.reduction.ranges)
        if self.vector and scope.lanes is not None and scope.lanes in position.vars:
            where = self.text.index_lanes(position, scope, "kw::I")
        else:
            where = f"(int32_t)({self.text.place(position, scope)})"
            if self.vector:
                where = f"kw::set<kw::I>({where})"
        largest = str(self.reduction.reduces == "argmax").lower()
        m = self.text.fresh("m")
        value = self.text.fresh()
        wrap = "kw::lanes32" if self.vector else "bool"
        scope.lines += [
            f"const {self.type} {value} = {text};",
            f"const auto {m} = {wrap}(kw::beats<{largest}>({value}, {a}));",
            f"{a} = kw::where({m}, {value}, {a});",
            f"{self.name}_at[{u}] = kw::where({m}, {where}, {self.name}_at[{u}]);",
        ]

    def _folded(self, scope: Scope) -> str:
        """All accumulators of a chain as one value."""
        f = combine(self.reduction.reduces, self.kind)
        scope.lines.append(
            f"for (int u = 1; u < {self.count}; ++u) {self.name}[0] = {f}<{self.type}>({self.name}[0], {self.name}[u]);"
        )
        if self.lane is None:
            return f"{self.name}[0]"
        if self.kind == "f32" and self.reduction.reduces in ("sum", "max", "min"):
            return f"kw::h{self.reduction.reduces}({self.name}[0])"
        scalar = SCALAR[self.kind] if self.kind != "b" else "int32_t"
        folded = f"kw::fold({self.name}[0], []({scalar} x, {scalar} y) {{ return {f}<{scalar}>(x, y); }})"
        return f"({folded} != 0)" if self.kind == "b" else folded

    def flush(self, scope: Scope) -> None:
        """Add a chain to the total."""
        if self.total is not None:
            text = self._folded(scope)
            scope.lines.append(f"{self.total} = {self.total} + {text};")

    def result(self, scope: Scope) -> Name:
        """The reduction's value."""
        name = self.text.fresh("r")
        vector = self.vector and self.lane is None
        kind = (VECTOR if vector else SCALAR)[self.node.kind]
        if self.places:
            self._winner(scope, name, vector)
            return Name(name, vector)
        if self.total is not None:
            scope.lines.append(f"const {kind} {name} = ({kind}){self.total};")
        else:
            scope.lines.append(f"const {kind} {name} = {self._folded(scope)};")
        return Name(name, vector)

    def _winner(self, scope: Scope, name: str, vector: bool) -> None:
        """The place of the best over accumulators and lanes: of equals the first."""
        largest = str(self.reduction.reduces == "argmax").lower()
        a, at = self.name, f"{self.name}_at"
        count = self.count if vector or self.lane is None else f"{self.count} * kw::W"
        if vector:
            wrap = "kw::lanes32"
            scope.lines += [
                f"for (int u = 1; u < {self.count}; ++u) {{",
                f"  const auto m = {wrap}(kw::beats<{largest}>({a}[u], {a}[0]));",
                f"  const auto e = {wrap}(({a}[u] == {a}[0]) | (({a}[u] != {a}[u]) & ({a}[0] != {a}[0])));",
                f"  const auto f = {wrap}({at}[u] < {at}[0]);",
                f"  {a}[0] = kw::where(m | (e & f), {a}[u], {a}[0]);",
                f"  {at}[0] = kw::where(m | (e & f), {at}[u], {at}[0]);",
                "}",
                f"const kw::L {name} = kw::to<int64_t>({at}[0]);",
            ]
            return
        one = f"{a}[k]" if self.lane is None else f"{a}[k / kw::W][k % kw::W]"
        one_at = f"{at}[k]" if self.lane is None else f"{at}[k / kw::W][k % kw::W]"
        scalar = SCALAR[self.kind] if self.kind != "b" else "int32_t"
        if self.lane is not None:
            first, first_at = f"{a}[0][0]", f"{at}[0][0]"
        else:
            first, first_at = f"{a}[0]", f"{at}[0]"
        scope.lines += [
            f"{scalar} {name}_best = {first}; int64_t {name} = {first_at};",
            f"for (int k = 1; k < {count}; ++k) {{",
            f"  const {scalar} x = {one}; const int64_t i = {one_at};",
            f"  const bool same = x == {name}_best || (x != x && {name}_best != {name}_best);",
            f"  if (kw::beats<{largest}>(x, {name}_best) || (same && i < {name})) {{ {name}_best = x; {name} = i; }}",
            "}",
        ]


def _places(node: Expr) -> list[Index]:
    if node.op == "load":
        return [node.attr[1]]
    return [node.attr] if node.op == "index" else [node.attr[0]]


def _var(v: Var) -> str:
    return f"i{v.number}"


def _mask(text: str, node: Expr) -> str:
    return _mask_text(text, node.kind)


def _mask_text(text: str, kind: str) -> str:
    """A truth value as a lane of a mask: -1 or 0."""
    return f"-(int32_t)({text})" if kind == "b" else text


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" if not line.startswith("#") else line for line in lines]


__all__ = ["ELEMENT", "WEIGHTS", "KernelText"]
