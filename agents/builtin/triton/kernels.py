"""Triton's kernels: blocks of lanes under a mask, whole rows in registers where they fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from kernelwright.agents.builtin.expr import Expr
from kernelwright.agents.builtin.gpu.form import Form
from kernelwright.agents.builtin.gpu.text import Block, GpuText
from kernelwright.agents.builtin.index import Var
from kernelwright.agents.builtin.kernel import Kernel, Part, Store
from kernelwright.agents.builtin.lazy import Reduction
from kernelwright.agents.builtin.triton import words

HELD = 8192
"""So many elements of a row stay in registers."""
CHUNK_FROM = 1024
"""Longer rows that are not held go through in chunks whose size is tuned."""


class TritonText(GpuText):
    """The body of one Triton kernel."""

    DIVIDED = "//"

    def __init__(self, kernel: Kernel, form: Form, *, holds: bool = True) -> None:
        super().__init__(kernel, form)
        self.holds = holds
        self.width = "BLOCK"
        """Lanes of the block at hand."""
        self.constants: dict[str, None] = {}
        """Sizes that the launch gives."""
        self.held = 0
        """Elements of the row that is held; 0: none is."""
        self.held_mask = ""
        self.asserts = False

    # ---- words ----

    def constant(self, node: Expr) -> str:
        """A number."""
        return words.literal(node.attr, node.kind)

    def declare(self, node: Expr, name: str, text: str) -> str:
        """A line that gives a value its name."""
        return f"{name} = {text}"

    def position(self, name: str, text: str) -> str:
        """A line that gives a position its name."""
        return f"{name} = {text}"

    def operation(self, node: Expr, args: list[str]) -> str:
        """A pointwise operation. Raises NoIdea."""
        return words.operation(node, args)

    def between(self, x: str, low: int, high: int) -> str:
        """low <= x < high."""
        return f"({x} >= {low}) & ({x} < {high})"

    def clamped(self, x: str, low: int, high: int) -> str:
        """x moved into [low, high]."""
        return f"tl.minimum(tl.maximum({x}, {low}), {high})"

    def whole(self, x: str) -> str:
        """A computed index as a position."""
        return x

    def checked(self, value: str, size: int, negative: bool, block: Block) -> str:
        """An index from memory; one outside of [0, size) ends the kernel."""
        self.asserts = True
        name = self.fresh()
        text = f"tl.where({value} < 0, {value} + {size}, {value})" if negative else value
        block.lines += [
            f"{name} = {text}",
            f'tl.device_assert(({name} >= 0) & ({name} < {size}), "index out of range")',
        ]
        return name

    def read(self, node: Expr, at: str, tests: list[str]) -> str:
        """An element, in the kind that it is computed in."""
        buffer, _ = node.attr
        mask = f", mask={' & '.join(tests)}, other=0" if tests else ""
        text = f"tl.load({buffer.name} + {at}{mask})"
        if node.kind == "b":
            return f"{text} != 0"
        return f"tl.cast({text}, {words.TYPES[node.kind]})"

    def write(self, store: Store, at: str, value: str, tests: list[str]) -> str:
        """A line that writes an element; Triton rounds it to the buffer's type."""
        mask = f", mask={' & '.join(tests)}" if tests else ""
        return f"tl.store({store.buffer.name} + {at}, {value}{mask})"

    # ---- lanes ----

    def head(self, block: Block) -> str:
        """Number the lanes of the whole grid."""
        self.constants["BLOCK"] = None
        count = math.prod(v.extent for v in self.form.lanes)
        number, self.guard = self.fresh("l"), self.fresh("m")
        block.lines += [
            f"{number} = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)",
            f"{self.guard} = {number} < {count}",
        ]
        return number

    def hold(self, block: Block) -> None:
        """Bind the lanes of a row for good, where it fits."""
        every = [n for n in self.kernel.everything(self.kernel.roots) if n.op == "red"]
        nodes = [n for n in every if n.attr[0].block is None and self.kernel.free(n) <= block.bound]
        inner = {v for n in nodes for v in self.kernel.loops_of(n.attr[0]).loops}
        others = [n for n in every if n not in nodes]
        if any(inner & set(self.kernel.loops_of(n.attr[0]).loops) for n in others):
            return  # the same loops run inside another reduction too, where they are no lanes
        parts = self.form.parts
        loops = list(parts[0].loops) if len(parts) == 1 else []
        if not loops and nodes and not any(p.loops for p in parts):
            loops = list(self.kernel.loops_of(nodes[0].attr[0]).loops)
        size = math.prod(v.extent for v in loops)
        if not self.holds or not 1 < size <= HELD:
            return
        for node in nodes:
            own = self.kernel.loops_of(node.attr[0]).loops
            if [v.extent for v in own] == [v.extent for v in loops]:
                self.unify(own, loops)
        self.held = size
        self.held_mask = self.lanes_of(loops, block, "0", size, str(_power(size)))
        block.bound |= frozenset(loops)

    def lanes_of(
        self, loops: Sequence[Var], block: Block, start: str, count: int, width: str
    ) -> str:
        """Bind loops to a block of lanes that begins at `start`; gives the lanes' mask."""
        self.width = width
        number, mask = self.fresh("l"), self.fresh("m")
        begin = "" if start == "0" else f"{start} + "
        block.lines += [
            f"{number} = {begin}tl.arange(0, {width})",
            f"{mask} = {number} < {count}",
        ]
        self.spread(number, loops, block)
        whole = width.isdigit() and count == int(width)
        for v in loops:
            self.lanes[v] = "" if whole else mask
        return mask

    @contextmanager
    def _within(self, loops: Sequence[Var]) -> Iterator[None]:
        """Lanes that are bound inside are forgotten after."""
        width = self.width
        yield
        self.width = width
        for v in loops:
            self.lanes.pop(v, None)

    def _chunks(
        self, loops: Sequence[Var], count: int, block: Block, heart: Callable[[Block, str], None]
    ) -> None:
        """`heart(block, mask)` for all elements of loops, a block of lanes at a time."""
        inner = Block(block, block.bound | frozenset(loops))
        with self._within(loops):
            if count <= CHUNK_FROM:
                heart(inner, self.lanes_of(loops, inner, "0", count, str(_power(count))))
                block.lines += inner.lines
                return
            self.constants["CHUNK"] = None
            start = self.fresh("s")
            heart(inner, self.lanes_of(loops, inner, start, count, "CHUNK"))
            block.lines += [f"for {start} in range(0, {count}, CHUNK):", *_indented(inner.lines)]

    # ---- loops ----

    def part(self, part: Part, block: Block) -> None:
        """The elements of a part, all lanes of the program at once."""
        if not part.loops or set(part.loops) <= block.bound:
            self.finish(part, block)
            return
        count = math.prod(v.extent for v in part.loops)
        self._chunks(part.loops, count, block, lambda inner, _: self.finish(part, inner))

    def loop(self, v: Var, block: Block, heart: Callable[[Block], None]) -> None:
        """A loop that every lane runs."""
        self.vars[v] = self.fresh("i")
        inner = Block(block, block.bound | {v})
        heart(inner)
        block.lines += [f"for {self.vars[v]} in range(0, {v.extent}):", *_indented(inner.lines)]

    # ---- reductions ----

    def across(self, nodes: list[Expr], block: Block) -> None:
        """Reductions of all lanes of the program."""
        first: Reduction = nodes[0].attr[0]
        loops = self.kernel.loops_of(first).loops
        if loops and set(loops) <= block.bound:
            mask = self.held_mask
            for node, body in zip(nodes, self.bodies(nodes), strict=True):
                running = self._running(node, f"[{self.width}]")
                self._start(running, block)
                self._take(running, node, body, mask, block, once=True)
                self._end(running, node, block)
            return
        count = math.prod(v.extent for v in loops)
        if first.block is not None:
            count = first.block * count // loops[0].extent
        once = count <= CHUNK_FROM
        width = str(_power(count)) if once else "CHUNK"
        all_running = [self._running(node, f"[{width}]") for node in nodes]
        for running in all_running:
            self._start(running, block)

        def heart(inner: Block, mask: str) -> None:
            bodies = self.bodies(nodes)
            self.reductions(bodies, inner)
            for running, node, body in zip(all_running, nodes, bodies, strict=True):
                self._take(running, node, body, mask, inner, once=once)

        if first.block is None:
            self._chunks(loops, count, block, heart)
        else:
            self._chunked_block(first, nodes[0], count, block, heart)
        for running, node in zip(all_running, nodes, strict=True):
            self._end(running, node, block)

    def _chunked_block(
        self, reduction: Reduction, node: Expr, count: int, block: Block,
        heart: Callable[[Block, str], None],
    ) -> None:  # fmt: skip
        """The same where the first loop runs over one block of its range."""
        loops = self.kernel.loops_of(reduction).loops
        low = self.fresh("s")
        block.lines.append(f"{low} = {self.place(node.attr[1][0], block)} * {reduction.block}")
        inside = Var(reduction.block or 1)

        def shifted(inner: Block, mask: str) -> None:
            at, true = self.fresh("i"), self.fresh("m")
            own = self.vars[inside] if inside.extent > 1 else "0"
            inner.lines += [
                f"{at} = {low} + {own}",
                f"{true} = {mask} & ({at} < {loops[0].extent})",
            ]
            self.vars[loops[0]] = at
            for v in loops:
                self.lanes[v] = true
            inner.bound |= frozenset(loops)
            heart(inner, true)

        with self._within(loops):
            self._chunks([inside, *loops[1:]], count, block, shifted)

    def alone(self, nodes: list[Expr], block: Block) -> None:
        """Reductions that each lane does for itself."""
        first: Reduction = nodes[0].attr[0]
        loops = list(self.kernel.loops_of(first).loops)
        all_running = [self._running(node, f"[{self.width}]") for node in nodes]
        for running in all_running:
            self._start(running, block)

        def heart(inner: Block, mask: str = "") -> None:
            bodies = self.bodies(nodes)
            self.reductions(bodies, inner)
            for running, node, body in zip(all_running, nodes, bodies, strict=True):
                self._take(running, node, body, mask, inner)

        if first.block is None:
            self.nest(loops, block, heart)
        else:
            self._alone_in_block(first, nodes[0], block, heart)
        for running, node in zip(all_running, nodes, strict=True):
            self._end(running, node, block, folds=False)

    def _alone_in_block(
        self, reduction: Reduction, node: Expr, block: Block, heart: Callable[[Block, str], None]
    ) -> None:
        """Each lane has a block of the first loop's range, and may begin elsewhere."""
        loops = list(self.kernel.loops_of(reduction).loops)
        low, step = self.fresh("s"), self.fresh("j")
        block.lines.append(f"{low} = {self.place(node.attr[1][0], block)} * {reduction.block}")
        inner = Block(block, block.bound | {loops[0]})
        at, true = self.fresh("i"), self.fresh("m")
        inner.lines += [f"{at} = {low} + {step}", f"{true} = {at} < {loops[0].extent}"]
        self.vars[loops[0]], self.lanes[loops[0]] = at, true
        self.nest(loops[1:], inner, lambda deeper: heart(deeper, true))
        del self.lanes[loops[0]]
        block.lines += [f"for {step} in range(0, {reduction.block}):", *_indented(inner.lines)]

    def _running(self, node: Expr, shape: str) -> tuple[str, str]:
        return self.fresh("a"), shape

    def _start(self, running: tuple[str, str], block: Block) -> None:
        """Lines come with the first body, whose kind they have; the place is kept."""
        block.lines.append(f"#{running[0]}#")

    def _take(
        self, running: tuple[str, str], node: Expr, body: Expr, mask: str, block: Block,
        once: bool = False,
    ) -> None:  # fmt: skip
        """Take in a block of elements; `once`: there is no other."""
        name, shape = running
        reduction: Reduction = node.attr[0]
        kind, which = body.kind, reduction.reduces
        zero = words.literal(words.neutral(which, kind), kind)
        x = self.value(body, block)
        kept = self.fresh()
        block.lines.append(f"{kept} = tl.where({mask}, {x}, {zero})" if mask else f"{kept} = {x}")
        start = [f"{name} = tl.full({shape}, {zero}, {words.TYPES[kind]})"]
        if which in ("argmax", "argmin"):
            start.append(f"{name}_at = tl.full({shape}, 0, tl.int32)")
            at = self.place(self.counted(node), block)
            sign = ">" if which == "argmax" else "<"
            better = f"({kept} {sign} {name})"
            if kind in ("f32", "f64"):
                better = (
                    f"({better} & ({name} == {name})) | (({kept} != {kept}) & ({name} == {name}))"
                )
            hit = self.fresh("m")
            block.lines += [
                f"{hit} = {better}",
                f"{name} = tl.where({hit}, {kept}, {name})",
                f"{name}_at = tl.where({hit}, {at}, {name}_at)",
            ]
        elif once and mask:
            block.lines[-1] = f"{name} = tl.where({mask}, {x}, {zero})"
            start = []
        else:
            block.lines.append(f"{name} = {words.combined(which, kind, name, kept)}")
        self._put_start(name, start, block)

    def _put_start(self, name: str, start: list[str], block: Block) -> None:
        for around in block.chain():
            if f"#{name}#" in around.lines:
                place = around.lines.index(f"#{name}#")
                around.lines[place : place + 1] = start
                return

    def _end(
        self, running: tuple[str, str], node: Expr, block: Block, *, folds: bool = True
    ) -> None:
        """The running values as the reduction's value."""
        a, _ = running
        which = node.attr[0].reduces
        if which in ("argmax", "argmin"):
            block.names[node] = self._winner(a, node, block) if folds else f"{a}_at"
            return
        if not folds:
            block.names[node] = a
            return
        name = self.fresh("r")
        kind = node.kind
        if which == "sum":
            block.lines.append(f"{name} = tl.sum({a}, 0)")
        elif which == "prod":
            self.times = True
            block.lines.append(f"{name} = tl.reduce({a}, 0, _times)")
        elif kind == "b":
            fold = "max" if which in ("any", "max") else "min"
            block.lines.append(f"{name} = tl.{fold}(tl.cast({a}, tl.int32), 0) != 0")
        else:
            block.lines.append(f"{name} = tl.{which}({a}, 0)")
            if kind in ("f32", "f64"):
                nan = words.literal(math.nan, kind)
                odd = f"tl.max(tl.cast({a} != {a}, tl.int32), 0) > 0"
                block.lines.append(f"{name} = tl.where({odd}, {nan}, {name})")
        block.names[node] = name

    times = False
    """Whether products are reduced, which needs a function of its own."""

    def _winner(self, a: str, node: Expr, block: Block) -> str:
        """The place of the best of all lanes: of equals the first, of NaN the first."""
        reduction: Reduction = node.attr[0]
        best, name, hit = self.fresh("r"), self.fresh("r"), self.fresh("m")
        fold = "max" if reduction.reduces == "argmax" else "min"
        size = math.prod(reduction.ranges)
        block.lines += [
            f"{best} = tl.{fold}({a}, 0)",
            f"{hit} = {a} == {best}",
            f"{name} = tl.min(tl.where({hit}, {a}_at, {size}), 0)",
            f"{best} = tl.min(tl.where({a} != {a}, {a}_at, {size}), 0)",
            f"{name} = tl.cast(tl.where({best} < {size}, {best}, {name}), tl.int64)",
        ]
        return name


def _power(n: int) -> int:
    """The smallest power of two that is not below n."""
    return 1 << max(0, n - 1).bit_length()


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
