"""Writes a kernel's values, loops and reductions; the words of the language come from its subclass.

Two kinds of loop variables: what all threads of a program have in common (scalars), and `lanes`, of which
each thread has its own. A reduction that needs no lane runs across the threads; one that needs lanes runs
in each thread for itself.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.expr import Buffer, Expr, children, walk
from kernelwright.agents.builtin.gpu.form import Form
from kernelwright.agents.builtin.index import Clamp, Div, Index, Mod, Value, Var
from kernelwright.agents.builtin.kernel import Kernel, Part, Store
from kernelwright.agents.builtin.lazy import Reduction
from kernelwright.agents.roles import NoIdea

MOST_ELEMENTS = 2**31 - 1
"""Positions are int32 in these kernels."""


@dataclass
class Block:
    """Lines of text: the loop variables known in them, and the values written there."""

    parent: Block | None
    bound: frozenset[Var]
    names: dict[Expr, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def chain(self) -> list[Block]:
        """This one and those around it, innermost first."""
        return [self] if self.parent is None else [self, *self.parent.chain()]


class GpuText(ABC):
    """The body of one kernel."""

    DIVIDED = "/"
    """Division of whole numbers that are not negative."""

    def __init__(self, kernel: Kernel, form: Form) -> None:
        self.kernel, self.form = kernel, form
        self.buffers: dict[Buffer, bool] = {}
        """What it takes, and whether it writes there."""
        self.vars: dict[Var, str] = {}
        """Names of loop variables."""
        self.lanes: dict[Var, str] = {}
        """The lanes among them, with the condition under which they are inside (empty: always)."""
        self._count = 0

    # ---- words of the language ----

    @abstractmethod
    def constant(self, node: Expr) -> str:
        """A number."""

    @abstractmethod
    def declare(self, node: Expr, name: str, text: str) -> str:
        """A line that gives a value its name."""

    @abstractmethod
    def operation(self, node: Expr, args: list[str]) -> str:
        """A pointwise operation. Raises NoIdea."""

    @abstractmethod
    def read(self, node: Expr, at: str, tests: list[str]) -> str:
        """An element of a buffer, read where all tests hold."""

    @abstractmethod
    def write(self, store: Store, at: str, value: str, tests: list[str]) -> str:
        """A line that writes an element."""

    @abstractmethod
    def checked(self, value: str, size: int, negative: bool, block: Block) -> str:
        """An index from memory, proved to lie in [0, size)."""

    @abstractmethod
    def position(self, name: str, text: str) -> str:
        """A line that gives a position its name."""

    @abstractmethod
    def across(self, nodes: list[Expr], block: Block) -> None:
        """Reductions over equal ranges that all threads do together; names are put into `block`."""

    @abstractmethod
    def alone(self, nodes: list[Expr], block: Block) -> None:
        """Reductions over equal ranges that each thread does for itself."""

    @abstractmethod
    def part(self, part: Part, block: Block) -> None:
        """The elements of a part, shared out among the threads of a row."""

    @abstractmethod
    def loop(self, v: Var, block: Block, heart: Callable[[Block], None]) -> None:
        """A loop that every thread runs for itself."""

    # ---- the whole ----

    def body(self) -> list[str]:
        """All lines but the head."""
        top = Block(None, frozenset())
        prefix = self.kernel.prefix
        if self.form.rows:
            self.spread("row", prefix, top)
            top.bound = frozenset(prefix)
            self.hold(top)
            self.reductions([s.expr for p in self.form.parts for s in p.stores], top)
            for part in self.form.parts:
                self.part(part, top)
            return top.lines
        self.spread(self.head(top), self.form.lanes, top)
        for v in self.form.lanes:
            self.lanes[v] = self.guard
        top.bound = frozenset(self.form.lanes)
        for part in self.form.parts:
            left = [v for v in part.loops if v not in top.bound]
            self.nest(left, top, partial(self.finish, part))
        return top.lines

    def hold(self, block: Block) -> None:  # noqa: B027, a language may leave it at that
        """Keep a whole row in the threads' registers, where the language can."""

    guard = ""
    """The condition of the lanes of the whole kernel."""

    @abstractmethod
    def head(self, block: Block) -> str:
        """Lines that number the lanes of the whole grid; gives the number's name."""

    def nest(self, loops: Sequence[Var], block: Block, heart: Callable[[Block], None]) -> None:
        """Loops that every thread runs, one inside the other."""
        if not loops:
            heart(block)
            return
        self.loop(loops[0], block, lambda inner: self.nest(loops[1:], inner, heart))

    def finish(self, part: Part, block: Block) -> None:
        """All stores of a part, at one place."""
        self.reductions([s.expr for s in part.stores], block)
        for store in part.stores:
            self.store(store, block)

    def spread(self, number: str, loops: Sequence[Var], block: Block) -> None:
        """Loop variables from one number that counts through all of them, the last one fastest."""
        live = [v for v in loops if v.extent > 1]
        step = math.prod(v.extent for v in live)
        for place, v in enumerate(live):
            step //= v.extent
            text = number if step == 1 else f"{number} {self.DIVIDED} {step}"
            if place:
                text = f"{text} % {v.extent}" if step == 1 else f"({text}) % {v.extent}"
            self.vars[v] = self.fresh("i")
            block.lines.append(self.position(self.vars[v], text))

    def fresh(self, stem: str = "v") -> str:
        """A new name."""
        self._count += 1
        return f"{stem}{self._count}"

    def touch(self, buffer: Buffer, written: bool = False) -> str:
        """The name of a buffer's pointer. Raises NoIdea for one that is too large."""
        if buffer.size > MOST_ELEMENTS:
            raise NoIdea(f"a tensor of {buffer.size:,} elements: positions are 32 bits wide here")
        self.buffers[buffer] = self.buffers.get(buffer, False) or written
        return buffer.name

    # ---- values ----

    def value(self, node: Expr, block: Block) -> str:
        """Write a node, unless that has been done, and give its name."""
        for around in block.chain():
            if node in around.names:
                return around.names[node]
        if node.op == "const":
            return self.constant(node)
        if node.op == "scan":
            raise NoIdea("the built-in model writes no running totals for a GPU")
        if node.op == "red":
            raise AssertionError(f"reduction used before it ran: {node}")
        inside = [self.value(child, block) for child in children(node)]
        home = self.home(node, block)
        name = self.fresh()
        home.lines.append(self.declare(node, name, self._text(node, inside, home)))
        home.names[node] = name
        return name

    def home(self, node: Expr, block: Block) -> Block:
        """The outermost block that knows all a node needs."""
        needs = set() if node.args else set(node.vars)
        below = [c for c in children(node) if c.op != "const"]
        result = block
        for around in block.chain():
            visible = {n for b in around.chain() for n in b.names}
            if needs <= around.bound and all(c in visible for c in below):
                result = around
        return result

    def _text(self, node: Expr, inside: list[str], block: Block) -> str:
        if node.op == "load":
            buffer, where = node.attr
            self.touch(buffer)
            return self.read(node, self.place(where, block), self.conditions(where.vars))
        if node.op == "index":
            return self.place(node.attr, block)
        if node.op == "inrange":
            i, low, high = node.attr
            x = self.place(i, block)
            return self.between(x, low, high)
        if node.op == "bound":
            size, negative = node.attr
            return self.checked(inside[0], size, negative, block)
        return self.operation(node, inside)

    @abstractmethod
    def between(self, x: str, low: int, high: int) -> str:
        """low <= x < high."""

    def conditions(self, needed: Iterable[Var]) -> list[str]:
        """What has to hold for these variables to be inside; each once."""
        return list(
            dict.fromkeys(t for v in self.lanes if v in set(needed) and (t := self.lanes[v]))
        )

    def store(self, store: Store, block: Block) -> None:
        """Write one element, or one in every lane."""
        value = self.value(store.expr, block)
        self.touch(store.buffer, written=True)
        tests = self.conditions(store.index.vars)
        block.lines.append(self.write(store, self.place(store.index, block), value, tests))

    # ---- positions ----

    def place(self, i: Index, block: Block) -> str:
        """Text of an index."""
        parts = []
        for atom, coefficient in i.terms:
            text = self.atom(atom, block)
            parts.append(text if coefficient == 1 else f"{text} * {coefficient}")
        if i.constant or not parts:
            parts.append(str(i.constant))
        return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"

    def atom(self, atom: index.Atom, block: Block) -> str:
        """Text of a part of an index, fit to be multiplied."""
        if isinstance(atom, Var):
            return self.vars[atom]
        if isinstance(atom, Value):
            return self.whole(self.value(atom.expr, block))
        of = self.place(atom.of, block)
        if isinstance(atom, Clamp):
            return self.clamped(of, atom.low, atom.high)
        low = atom.of.bounds[0]
        up = -(low // atom.by) if low < 0 else 0  # both round towards zero: keep it from below
        of = f"({of} + {up * atom.by})" if up else of
        if isinstance(atom, Div):
            quotient = f"({of}) {self.DIVIDED} {atom.by}"
            return f"({quotient} - {up})" if up else f"({quotient})"
        assert isinstance(atom, Mod)
        return f"(({of}) % {atom.by})"

    @abstractmethod
    def clamped(self, x: str, low: int, high: int) -> str:
        """x moved into [low, high]."""

    @abstractmethod
    def whole(self, x: str) -> str:
        """A computed index as a position."""

    # ---- reductions ----

    def reductions(self, roots: Sequence[Expr], block: Block) -> None:
        """Run every reduction that this block knows enough for, those it needs first."""
        while ready := self._ready(roots, block):
            groups: dict[tuple[object, ...], list[Expr]] = {}
            for node in ready:
                groups.setdefault(self._ranges(node), []).append(node)
            for members in groups.values():
                first = self.kernel.loops_of(members[0].attr[0]).loops
                for node in members[1:]:
                    self.unify(self.kernel.loops_of(node.attr[0]).loops, first)
                if self.kernel.free(members[0]) & self.lanes.keys():
                    self.alone(members, block)
                else:
                    self.across(members, block)

    def _ranges(self, node: Expr) -> tuple[object, ...]:
        reduction: Reduction = node.attr[0]
        where = node.attr[1][0] if reduction.block is not None else None
        lanes = bool(self.kernel.free(node) & self.lanes.keys())
        extents = tuple(v.extent for v in self.kernel.loops_of(reduction).loops)
        return (lanes, reduction.block, where, *extents)

    def _ready(self, roots: Sequence[Expr], block: Block) -> list[Expr]:
        """Reductions that can run now: all variables known, none pending inside."""
        done = {n for around in block.chain() for n in around.names}
        pending: dict[Expr, None] = {}

        def look(node: Expr) -> bool:
            """Whether something below still has to run in this block."""
            waits = False
            for n in walk([node]):
                if n.op == "red" and n not in done:
                    inside = look(self.kernel.body(n))
                    if self.kernel.free(n) <= block.bound:
                        if not inside:
                            pending[n] = None
                        waits = True
                    else:
                        waits |= inside
            return waits

        for root in roots:
            look(root)
        return list(pending)

    def unify(self, old: Sequence[Var], new: Sequence[Var]) -> None:
        """Let a reduction run over another one's loops."""
        mapping = {a: b for a, b in zip(old, new, strict=True) if a is not b}
        if mapping:
            self.kernel.rename(mapping)

    def bodies(self, nodes: Sequence[Expr]) -> list[Expr]:
        """What they run over, after their loops were made one."""
        return [self.kernel.body(node) for node in nodes]

    def counted(self, node: Expr) -> Index:
        """The place within the ranges, as argmax and argmin count it."""
        reduction: Reduction = node.attr[0]
        return index.linear(self.kernel.loops_of(reduction).place, reduction.ranges)
