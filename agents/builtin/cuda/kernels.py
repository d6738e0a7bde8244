"""CUDA's kernels: a thread an element, or a block a row whose threads reduce together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from kernelwright.agents.builtin.cuda import words
from kernelwright.agents.builtin.expr import Expr
from kernelwright.agents.builtin.gpu.text import Block, GpuText
from kernelwright.agents.builtin.index import Var
from kernelwright.agents.builtin.kernel import Part, Store
from kernelwright.agents.builtin.lazy import Reduction


class CudaText(GpuText):
    """The body of one CUDA kernel."""

    def constant(self, node: Expr) -> str:
        """A number."""
        return words.literal(node.attr, node.kind)

    def declare(self, node: Expr, name: str, text: str) -> str:
        """A line that gives a value its name."""
        return f"const {words.TYPES[node.kind]} {name} = {text};"

    def position(self, name: str, text: str) -> str:
        """A line that gives a position its name."""
        return f"const int {name} = {text};"

    def operation(self, node: Expr, args: list[str]) -> str:
        """A pointwise operation. Raises NoIdea."""
        return words.operation(node, args)

    def between(self, x: str, low: int, high: int) -> str:
        """low <= x < high."""
        return f"{x} >= {low} && {x} < {high}"

    def clamped(self, x: str, low: int, high: int) -> str:
        """x moved into [low, high]."""
        return f"min(max((int)({x}), {low}), {high})"

    def whole(self, x: str) -> str:
        """A computed index as a position."""
        return f"(int){x}"

    def checked(self, value: str, size: int, negative: bool, block: Block) -> str:
        """An index from memory; one outside of [0, size) ends the kernel."""
        name = self.fresh()
        text = f"{value} < 0 ? {value} + {size} : {value}" if negative else value
        block.lines += [
            f"const long long {name} = {text};",
            f"if ({name} < 0 || {name} >= {size}) __trap();",
        ]
        return name

    def read(self, node: Expr, at: str, tests: list[str]) -> str:
        """An element, in the kind that it is computed in."""
        buffer, _ = node.attr
        text = f"{buffer.name}[{at}]"
        if buffer.dtype in words.READ:
            return f"{words.READ[buffer.dtype]}({text})"
        return f"({words.TYPES[node.kind]}){text}"

    def write(self, store: Store, at: str, value: str, tests: list[str]) -> str:
        """A line that writes an element."""
        kind = store.buffer.dtype
        text = f"{words.WRITE.get(kind, f'({words.ELEMENTS[kind]})')}({value})"
        guard = "if (threadIdx.x == 0) " if self._by_one else ""
        return f"{guard}{store.buffer.name}[{at}] = {text};"

    _by_one = False
    """Whether one thread of the block writes what all of them know."""

    # ---- lanes and loops ----

    def head(self, block: Block) -> str:
        """Number the threads of the whole grid; those beyond the end leave."""
        count = math.prod(v.extent for v in self.form.lanes)
        number = self.fresh("l")
        block.lines += [
            f"const int {number} = blockIdx.x * blockDim.x + threadIdx.x;",
            f"if ({number} >= {count}) return;",
        ]
        return number

    def part(self, part: Part, block: Block) -> None:
        """The elements of a part, shared out among the threads of the block."""
        if not part.loops:
            self._by_one = True
            self.finish(part, block)
            self._by_one = False
            return
        count = str(math.prod(v.extent for v in part.loops))
        self._shared_out(part.loops, count, block, lambda inner: self.finish(part, inner))

    def _shared_out(
        self, loops: Sequence[Var], count: str, block: Block, heart: Callable[[Block], None]
    ) -> None:
        number = self.fresh("l")
        inner = Block(block, block.bound | frozenset(loops))
        self.spread(number, loops, inner)
        for v in loops:
            self.lanes[v] = ""
        heart(inner)
        for v in loops:
            self.lanes.pop(v, None)
        block.lines += [
            f"for (int {number} = threadIdx.x; {number} < {count}; {number} += blockDim.x) {{",
            *_indented(inner.lines),
            "}",
        ]

    def loop(self, v: Var, block: Block, heart: Callable[[Block], None]) -> None:
        """A loop that every thread runs."""
        self._counted("0", str(v.extent), v, block, heart)

    def _counted(
        self, low: str, high: str, v: Var, block: Block, heart: Callable[[Block], None]
    ) -> None:
        name = self.vars[v] = self.fresh("i")
        inner = Block(block, block.bound | {v})
        heart(inner)
        block.lines += [
            f"for (int {name} = {low}; {name} < {high}; ++{name}) {{",
            *_indented(inner.lines),
            "}",
        ]

    # ---- reductions ----

    def across(self, nodes: list[Expr], block: Block) -> None:
        """Reductions of all threads of the block."""
        first: Reduction = nodes[0].attr[0]
        loops = self.kernel.loops_of(first).loops
        names = [self._start(node, block) for node in nodes]

        def heart(inner: Block) -> None:
            self._take(nodes, names, inner)

        if first.block is None:
            self._shared_out(loops, str(math.prod(v.extent for v in loops)), block, heart)
        else:
            self._across_block(first, nodes[0], block, heart)
        for node, name in zip(nodes, names, strict=True):
            self._fold(node, name, block)

    def _across_block(
        self, reduction: Reduction, node: Expr, block: Block, heart: Callable[[Block], None]
    ) -> None:
        """The same where the first loop runs over one block of its range."""
        loops = self.kernel.loops_of(reduction).loops
        low, high = self._limits(reduction, node, block)
        inside = Var(reduction.block or 1)
        rest = math.prod(v.extent for v in loops[1:])

        def shifted(inner: Block) -> None:
            own = self.vars[inside] if inside.extent > 1 else "0"
            self.vars[loops[0]] = self.fresh("i")
            inner.lines.append(f"const int {self.vars[loops[0]]} = {low} + {own};")
            for v in loops:
                self.lanes[v] = ""
            inner.bound |= frozenset(loops)
            heart(inner)
            self.lanes.pop(loops[0], None)

        count = f"({high} - {low}) * {rest}" if rest > 1 else f"{high} - {low}"
        self._shared_out([inside, *loops[1:]], count, block, shifted)

    def _limits(self, reduction: Reduction, node: Expr, block: Block) -> tuple[str, str]:
        """Begin and end of the block of the first loop's range."""
        loops = self.kernel.loops_of(reduction).loops
        low, high = self.fresh("s"), self.fresh("s")
        number = self.place(node.attr[1][0], block)
        block.lines += [
            f"const int {low} = {number} * {reduction.block};",
            f"const int {high} = min({low} + {reduction.block}, {loops[0].extent});",
        ]
        return low, high

    def alone(self, nodes: list[Expr], block: Block) -> None:
        """Reductions that each thread does for itself."""
        first: Reduction = nodes[0].attr[0]
        loops = list(self.kernel.loops_of(first).loops)
        names = [self._start(node, block) for node in nodes]

        def heart(inner: Block) -> None:
            self._take(nodes, names, inner)

        if first.block is None:
            self.nest(loops, block, heart)
        else:
            low, high = self._limits(first, nodes[0], block)
            self._counted(
                low, high, loops[0], block, lambda inner: self.nest(loops[1:], inner, heart)
            )
        for node, name in zip(nodes, names, strict=True):
            places = node.attr[0].reduces in ("argmax", "argmin")
            block.names[node] = f"{name}_at" if places else name

    def _start(self, node: Expr, block: Block) -> str:
        """The running value of a reduction."""
        name, which = self.fresh("a"), node.attr[0].reduces
        kind = self.kernel.body(node).kind
        zero = words.literal(words.neutral(which, kind), kind)
        block.lines.append(f"{words.TYPES[kind]} {name} = {zero};")
        if which in ("argmax", "argmin"):
            block.lines.append(f"int {name}_at = 2147483647;")
        return name

    def _take(self, nodes: list[Expr], names: list[str], block: Block) -> None:
        """Take in one element each."""
        bodies = self.bodies(nodes)
        self.reductions(bodies, block)
        for node, body, name in zip(nodes, bodies, names, strict=True):
            x, which = self.value(body, block), node.attr[0].reduces
            if which in ("argmax", "argmin"):
                at = self.place(self.counted(node), block)
                better = f"wins<{str(which == 'argmax').lower()}>({x}, {at}, {name}, {name}_at)"
                block.lines.append(f"if ({better}) {{ {name} = {x}; {name}_at = {at}; }}")
            else:
                block.lines.append(f"{name} = {words.combined(which, body.kind, name, x)};")

    def _fold(self, node: Expr, a: str, block: Block) -> None:
        """What all threads have found, as one value that each of them knows."""
        name, which = self.fresh("r"), node.attr[0].reduces
        kind = self.kernel.body(node).kind
        if which in ("argmax", "argmin"):
            text = f"block_best<{str(which == 'argmax').lower()}>({a}, {a}_at)"
        else:
            zero = words.literal(words.neutral(which, kind), kind)
            as_number = ("(int)", "int") if kind == "b" else ("", words.TYPES[kind])
            functor = words.FUNCTORS[which]
            text = f"block_reduce({as_number[0]}{a}, ({as_number[1]}){zero}, {functor}())"
        block.lines.append(f"const {words.TYPES[node.kind]} {name} = {text};")
        block.names[node] = name


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]
