"""Products of matrices as stages of their own, with the elementwise kernel that follows as epilogue."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.expr import Buffer, Expr, load, walk
from kernelwright.agents.builtin.fuse import moved, order_of, readers
from kernelwright.agents.builtin.index import Index, Var
from kernelwright.agents.builtin.kernel import Kernel, Store
from kernelwright.agents.builtin.lane_text import Inexpressible
from kernelwright.agents.builtin.lazy import LibraryCall
from kernelwright.agents.builtin.plan import View, view_of

FLOATS = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(eq=False)
class Operand:
    """Where an operand lies: element (b, row, column) is at `offset + b * steps[0] + ...`."""

    buffer: Buffer
    steps: tuple[int, int, int]
    offset: int


@dataclass(eq=False)
class Product:
    """`result[b, i, j] = sum over k of left[b, i, k] * right[b, k, j]`, and what is stored of it."""

    name: str
    batch: int
    rows: int
    columns: int
    inner: int
    left: Operand
    right: Operand
    place: tuple[Var, Var, Var]
    """b, i, j as loop variables of the stores."""
    read: Expr
    """The element of the result as the stores name it."""
    stores: tuple[Store, ...]
    work: int = 0

    def reads(self, buffer: Buffer) -> bool:
        """Whether it reads a buffer."""
        loads = (n for s in self.stores for n in walk([s.expr]) if n.op == "load")
        operands = (self.left.buffer, self.right.buffer)
        return buffer in operands or any(n.attr[0] is buffer and n is not self.read for n in loads)


def with_products(stages: list[Any]) -> list[Any]:
    """The stages with every product that fits made one, its one elementwise reader as epilogue."""
    result = list(stages)
    for call in stages:
        if not isinstance(call, LibraryCall) or call.name not in ("mm", "bmm"):
            continue
        products = [s for s in result if isinstance(s, Product)]
        others = [s for s in result if not isinstance(s, Product)]
        using: list[Any] = [*readers(others, call.result)]
        using += [p for p in products if p.reads(call.result)]
        follower = using[0] if len(using) == 1 and isinstance(using[0], Kernel) else None
        try:
            made = _product(f"product{len(result)}_{result.index(call)}", call, follower)
            taken = follower
        except Inexpressible:
            try:
                made, taken = (
                    _product(f"product{len(result)}_{result.index(call)}", call, None),
                    None,
                )
            except Inexpressible:
                continue
        place = result.index(call if taken is None else taken)
        result[place] = made
        if taken is not None:
            result.remove(call)
    return result


def _product(name: str, call: LibraryCall, follower: Kernel | None) -> Product:
    """Raises Inexpressible."""
    shape = call.result.shape
    batch = shape[0] if call.name == "bmm" else 1
    rows, columns = shape[-2:]
    views = [view_of(a) for a in call.arguments]
    if call.result.dtype not in FLOATS or call.result.strides:
        raise Inexpressible("a result that is not a contiguous tensor of floats")
    left, right = (_operand(v) for v in views)
    if left.buffer.dtype != right.buffer.dtype:
        raise Inexpressible("operands of two dtypes")
    first = views[0]
    assert first is not None
    place = (Var(batch), Var(rows), Var(columns))
    where = index.linear(tuple(index.var(v) for v in place), (batch, rows, columns))
    read = load(call.result, where)
    stores: tuple[Store, ...]
    if follower is None:
        stores = (Store(call.result, where, read),)
    else:
        stores = tuple(_epilogue(follower, call.result, place, where))
    return Product(
        name, batch, rows, columns, first.shape[-1], left, right, place, read, stores, call.work
    )


def _operand(view: View | None) -> Operand:
    if view is None or view.buffer.dtype not in FLOATS:
        raise Inexpressible("an operand that is no view of floats")
    steps = view.strides
    return Operand(
        view.buffer, (steps[0] if len(steps) == 3 else 0, steps[-2], steps[-1]), view.offset
    )


def _epilogue(
    kernel: Kernel, result: Buffer, place: tuple[Var, Var, Var], where: Index
) -> list[Store]:
    """The kernel's stores over b, i, j. Raises Inexpressible where it is no epilogue."""
    if len(kernel.parts) != 1 or any(
        n.op in ("red", "scan") for n in kernel.everything(kernel.roots)
    ):
        raise Inexpressible("reductions over the result")
    part = kernel.parts[0]
    loops = [*kernel.prefix, *part.loops]
    if math.prod(v.extent for v in loops) != result.size:
        raise Inexpressible("a result that is read more than once")
    reads = [n for n in walk(kernel.roots) if n.op == "load" and n.attr[0] is result]
    ordered = [loops[d] for d in order_of(loops, reads)]
    at = index.delinear(where, tuple(v.extent for v in ordered))
    mapping = dict(zip(ordered, at, strict=True))
    found = []
    for store in part.stores:
        value, to = moved(store.expr, store.index, mapping)
        found.append(Store(store.buffer, to, value))
    own = load(result, where)
    if any(
        n.op == "load" and n.attr[0] is result and n is not own
        for s in found
        for n in walk([s.expr])
    ):
        raise Inexpressible("another element of the result")
    return found
