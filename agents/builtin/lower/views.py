"""Views, joins, constants, and reads through an index tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from kernelwright.agents.builtin import expr, index
from kernelwright.agents.builtin.expr import KINDS, Expr, in_range, number, op
from kernelwright.agents.builtin.index import Index
from kernelwright.agents.builtin.lazy import Lazy, Place, Reduction
from kernelwright.agents.builtin.lower.algebra import (
    broadcast_shape,
    dimensions,
    element_of,
    expand,
    narrow,
    permute,
    reindex,
    reshape,
    select,
    to_dtype,
    unsqueeze,
)
from kernelwright.agents.builtin.lower.registry import Call, Unsupported, lowers


@lowers("view.default", "reshape.default", "_unsafe_view.default", "view_copy.default")
def _view(c: Call, x: Lazy, shape: Sequence[int]) -> Lazy:
    return reshape(x, c.shape)


@lowers("flatten.using_ints", "squeeze.dim", "squeeze.dims", "squeeze.default")
def _to_shape(c: Call, x: Lazy, *_: Any) -> Lazy:
    return reshape(x, c.shape)


@lowers("unsqueeze.default")
def _unsqueeze(c: Call, x: Lazy, dim: int) -> Lazy:
    return unsqueeze(x, dim)


@lowers("permute.default")
def _permute(c: Call, x: Lazy, order: Sequence[int]) -> Lazy:
    return permute(x, order)


@lowers("transpose.int")
def _transpose(c: Call, x: Lazy, a: int, b: int) -> Lazy:
    order = list(range(len(x.shape)))
    order[a], order[b] = order[b], order[a]
    return permute(x, order)


@lowers("t.default")
def _t(c: Call, x: Lazy) -> Lazy:
    return permute(x, list(reversed(range(len(x.shape)))))


@lowers("expand.default")
def _expand(c: Call, x: Lazy, shape: Sequence[int], implicit: bool = False) -> Lazy:
    return expand(x, c.shape)


@lowers("slice.Tensor")
def _slice(
    c: Call, x: Lazy, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Lazy:
    dim %= len(x.shape)
    extent = x.shape[dim]
    start = 0 if start is None else start
    start = max(0, min(start + extent if start < 0 else start, extent))
    return narrow(x, dim, start, c.shape[dim], step)


@lowers("select.int")
def _select(c: Call, x: Lazy, dim: int, at: int) -> Lazy:
    return select(x, dim, at)


@lowers("split_with_sizes.default")
def _split(c: Call, x: Lazy, sizes: Sequence[int], dim: int = 0) -> list[Lazy]:
    parts, start = [], 0
    for size in sizes:
        parts.append(narrow(x, dim, start, size))
        start += size
    return parts


@lowers("split.Tensor", "chunk.default")
def _split_even(c: Call, x: Lazy, size: int, dim: int = 0) -> list[Lazy]:
    dim %= len(x.shape)
    parts, start = [], 0
    for result in c.results:
        parts.append(narrow(x, dim, start, result.shape[dim]))
        start += result.shape[dim]
    return parts


@lowers("unbind.int")
def _unbind(c: Call, x: Lazy, dim: int = 0) -> list[Lazy]:
    return [select(x, dim, i) for i in range(x.shape[dim % len(x.shape)])]


@lowers("diagonal.default")
def _diagonal(c: Call, x: Lazy, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Lazy:
    rank = len(x.shape)
    dim1, dim2 = dim1 % rank, dim2 % rank

    def where(place: Place) -> Place:
        rest = list(place[:-1])
        own: list[Index] = []
        for d in range(rank):
            if d == dim1:
                own.append(place[-1] + max(-offset, 0))
            elif d == dim2:
                own.append(place[-1] + max(offset, 0))
            else:
                own.append(rest.pop(0))
        return tuple(own)

    return reindex(x, c.shape, where)


@lowers("flip.default")
def _flip(c: Call, x: Lazy, dims: Sequence[int]) -> Lazy:
    over = dimensions(x, list(dims)) if dims else []

    def where(place: Place) -> Place:
        return tuple(i * -1 + (x.shape[d] - 1) if d in over else i for d, i in enumerate(place))

    return reindex(x, x.shape, where)


@lowers("as_strided.default")
def _as_strided(
    c: Call, x: Lazy, shape: Sequence[int], strides: Sequence[int], offset: int | None = None
) -> Lazy:
    def where(place: Place) -> Place:
        position = index.strided(place, tuple(strides)) + (offset or 0)
        return index.delinear(position, x.shape)

    return reindex(x, shape, where)


@lowers("unfold.default")
def _unfold(c: Call, x: Lazy, dim: int, size: int, step: int) -> Lazy:
    dim %= len(x.shape)
    return reindex(x, c.shape, lambda p: (*p[:dim], p[dim] * step + p[-1], *p[dim + 1 : -1]))


# ---- joins: several sources, told apart by the index ----


def pick(position: Index, bounds: Sequence[int], branches: Sequence[Any]) -> Expr:
    """`branches[k](position)` for the k with bounds[k] <= position < bounds[k + 1].

    Where the range of the index leaves one branch, only that one is built; the scheduler cuts loops
    at the bounds so that this is the usual case. Else every branch gets its index clamped.
    """
    low, high = position.bounds
    possible = [k for k in range(len(branches)) if bounds[k] <= high and low < bounds[k + 1]] or [0]
    result: Expr | None = None
    for k in reversed(possible):
        inside = position.clamp(bounds[k], bounds[k + 1] - 1)
        value = branches[k](inside)
        result = (
            value
            if result is None
            else op("where", in_range(position, bounds[0], bounds[k + 1]), value, result)
        )
    assert result is not None
    return result


@lowers("cat.default")
def _cat(c: Call, tensors: Sequence[Lazy], dim: int = 0) -> Lazy:
    tensors = [t for t in tensors if t.numel or len(t.shape) > 1]
    tensors = [t for t in tensors if t.numel]
    dim %= len(c.shape)
    bounds = [0]
    for t in tensors:
        bounds.append(bounds[-1] + t.shape[dim])
    parts = [to_dtype(t, c.dtype) for t in tensors]

    def element(place: Place) -> Expr:
        def branch(k: int) -> Any:
            return lambda i: parts[k].at((*place[:dim], i - bounds[k], *place[dim + 1 :]))

        return pick(place[dim], bounds, [branch(k) for k in range(len(parts))])

    return Lazy(c.shape, c.dtype, element)


@lowers("stack.default")
def _stack(c: Call, tensors: Sequence[Lazy], dim: int = 0) -> Lazy:
    return _cat(c, [unsqueeze(t, dim % len(c.shape)) for t in tensors], dim)


@lowers("constant_pad_nd.default")
def _pad(c: Call, x: Lazy, pads: Sequence[int], fill: float = 0) -> Lazy:
    rank = len(x.shape)
    before = [0] * rank
    for k in range(len(pads) // 2):
        before[rank - 1 - k] = pads[2 * k]
    return padded(x, c.shape, before, fill)


def padded(x: Lazy, shape: Sequence[int], before: Sequence[int], fill: float) -> Lazy:
    """x with `before[d]` elements of `fill` in front, up to `shape`; negative pads cut."""

    def element(place: Place) -> Expr:
        inside = number(True, "b")
        own: list[Index] = []
        for i, lead, extent in zip(place, before, x.shape, strict=True):
            at = i - lead
            inside = op("and", inside, in_range(at, 0, extent))
            own.append(at.clamp(0, extent - 1))
        blank = number(fill, KINDS[x.dtype])
        if inside.op == "const" and not inside.attr:
            return blank
        return op("where", inside, x.at(tuple(own)), blank)

    return Lazy(tuple(shape), x.dtype, element)


@lowers("roll.default")
def _roll(c: Call, x: Lazy, shifts: Sequence[int], dims: Sequence[int] = ()) -> Lazy:
    if not dims:
        flat = reshape(x, (x.numel,))
        return reshape(_roll(c, flat, shifts, [0]), x.shape)
    result = x
    for shift, dim in zip(shifts, dims, strict=True):
        result = _rolled(result, shift, dim % len(x.shape))
    return result


def _rolled(x: Lazy, shift: int, dim: int) -> Lazy:
    extent = x.shape[dim]
    shift %= extent
    if not shift:
        return x

    def element(place: Place) -> Expr:
        def at(offset: int) -> Any:
            return lambda i: x.at((*place[:dim], i + offset, *place[dim + 1 :]))

        return pick(place[dim], [0, shift, extent], [at(extent - shift), at(-shift)])

    return Lazy(x.shape, x.dtype, element)


@lowers("slice_scatter.default")
def _slice_scatter(
    c: Call, x: Lazy, source: Lazy, dim: int = 0, start: int | None = None,
    end: int | None = None, step: int = 1,
) -> Lazy:  # fmt: skip
    if step != 1:
        raise Unsupported("a step other than 1")
    dim %= len(x.shape)
    extent = x.shape[dim]
    start = 0 if start is None else start
    start = max(0, min(start + extent if start < 0 else start, extent))
    end = start + source.shape[dim]
    bounds = [0, start, end, extent]

    def element(place: Place) -> Expr:
        def keep(i: Index) -> Expr:
            return x.at((*place[:dim], i, *place[dim + 1 :]))

        def put(i: Index) -> Expr:
            moved = (*place[:dim], i - start, *place[dim + 1 :])
            return expr.cast(source.at(moved), x.kind)

        spans = [
            (bounds[0], bounds[1], keep),
            (bounds[1], bounds[2], put),
            (bounds[2], bounds[3], keep),
        ]
        spans = [s for s in spans if s[1] > s[0]]
        return pick(place[dim], [spans[0][0], *(s[1] for s in spans)], [s[2] for s in spans])

    return Lazy(x.shape, x.dtype, element)


@lowers("select_scatter.default")
def _select_scatter(c: Call, x: Lazy, source: Lazy, dim: int, at: int) -> Lazy:
    dim %= len(x.shape)
    at %= x.shape[dim]
    return _slice_scatter(c, x, unsqueeze(source, dim), dim, at, at + 1)


@lowers("repeat.default")
def _repeat(c: Call, x: Lazy, repeats: Sequence[int]) -> Lazy:
    lead = len(c.shape) - len(x.shape)

    def where(place: Place) -> Place:
        return tuple(i % e for i, e in zip(place[lead:], x.shape, strict=True))

    return reindex(x, c.shape, where)


# ---- tensors made of nothing ----


@lowers("full.default", "scalar_tensor.default", "full_like.default", "new_full.default")
def _full(c: Call, first: Any, *rest: Any, **_: Any) -> Lazy:
    fill = rest[0] if rest else first
    if c.operator == "aten.new_full.default":
        fill = rest[1]
    kind = KINDS[c.dtype]
    return Lazy(c.shape, c.dtype, lambda place: number(fill, kind))


@lowers("zeros.default", "zeros_like.default", "new_zeros.default")
def _zeros(c: Call, *_: Any, **__: Any) -> Lazy:
    return Lazy(c.shape, c.dtype, lambda place: number(0, KINDS[c.dtype]))


@lowers("ones.default", "ones_like.default", "new_ones.default")
def _ones(c: Call, *_: Any, **__: Any) -> Lazy:
    return Lazy(c.shape, c.dtype, lambda place: number(1, KINDS[c.dtype]))


@lowers("empty.memory_format", "empty_like.default", "empty_permuted.default")
def _empty(c: Call, *_: Any, **__: Any) -> Lazy:
    return _zeros(c)


@lowers("arange.start_step", "arange.default", "arange.start")
def _arange(c: Call, *numbers: float, **_: Any) -> Lazy:
    start, step = 0.0, 1.0
    if c.operator != "aten.arange.default":
        start = numbers[0]
        step = numbers[2] if len(numbers) > 2 else 1
    kind = KINDS[c.dtype]

    def element(place: Place) -> Expr:
        if isinstance(start, int) and isinstance(step, int):
            return expr.cast(expr.index_value(place[0] * step + start), kind)
        at = expr.cast(expr.index_value(place[0]), "f64")
        value = op("add", op("mul", at, number(step, "f64")), number(start, "f64"))
        return expr.cast(value, kind)

    return Lazy(c.shape, c.dtype, element)


@lowers("eye.default", "eye.m")
def _eye(c: Call, *_: Any, **__: Any) -> Lazy:
    def element(place: Place) -> Expr:
        return expr.cast(in_range(place[0] - place[1], 0, 1), KINDS[c.dtype])

    return Lazy(c.shape, c.dtype, element)


def _triangle(c: Call, x: Lazy, upper: bool, diagonal: int) -> Lazy:
    def element(place: Place) -> Expr:
        # row - column: at most -diagonal above and on it
        away = place[-2] - place[-1] + diagonal
        big = max(x.shape[-1], x.shape[-2]) + abs(diagonal) + 1
        keep = in_range(away, -big, 1) if upper else in_range(away, 0, big)
        return op("where", keep, x.at(place), number(0, x.kind))

    return Lazy(x.shape, x.dtype, element)


@lowers("tril.default")
def _tril(c: Call, x: Lazy, diagonal: int = 0) -> Lazy:
    return _triangle(c, x, False, diagonal)


@lowers("triu.default")
def _triu(c: Call, x: Lazy, diagonal: int = 0) -> Lazy:
    return _triangle(c, x, True, diagonal)


# ---- reads through an index tensor ----


def looked_up(node: Expr, size: int, negative: bool) -> Index:
    """An index that a tensor holds, checked against `size`; `negative` ones count from the end."""
    known = expr.constant(node)
    if known is not None and -size <= known < size:
        return index.const(int(known) % size)
    if node.op == "index" and node.attr.bounds[0] >= 0 and node.attr.bounds[1] < size:
        moved: Index = node.attr
        return moved
    return index.value(expr.make("bound", (node,), node.kind, (size, negative)), size)


@lowers("embedding.default")
def _embedding(c: Call, table: Lazy, at: Lazy, *_: Any, **__: Any) -> Lazy:
    def element(place: Place) -> Expr:
        row = looked_up(at.at(place[:-1]), table.shape[0], False)
        return table.at((row, place[-1]))

    return Lazy(c.shape, c.dtype, element)


@lowers("_embedding_bag.default", "_embedding_bag_forward_only.default")
def _embedding_bag(
    c: Call, table: Lazy, at: Lazy, offsets: Lazy, scale_by_freq: bool = False, mode: int = 0,
    sparse: bool = False, weights: Lazy | None = None, include_last: bool = False,
    padding: int = -1,
) -> tuple[Lazy, Lazy, Lazy, Lazy]:  # fmt: skip
    """Bags of equal size: offsets that are multiples of it, as two-dimensional input gives them."""
    bags = c.shape[0]
    size, left = divmod(at.shape[0], max(bags, 1))
    probe = index.Var(max(bags, 2))
    start = offsets.at((index.var(probe),))
    while start.op == "cast":
        start = start.args[0]
    even = start.op == "index" and start.attr == index.var(probe) * size
    if left or not even or mode > 2 or padding >= 0 or include_last:
        raise Unsupported("bags of sizes that only the data tell")

    def body(outer: Place, inner: Place) -> Expr:
        position = outer[0] * size + inner[0]
        row = looked_up(at.at((position,)), table.shape[0], False)
        value = expr.cast(table.at((row, outer[1])), kind)
        if weights is not None:
            value = op("mul", value, expr.cast(weights.at((position,)), kind))
        return value

    kind = KINDS[c.dtype]
    node = Reduction("max" if mode == 2 else "sum", c.shape, (size,), body, kind)

    def element(place: Place) -> Expr:
        total = node.at(place)
        return op("div", total, number(size, kind)) if mode == 1 else total

    result = Lazy(c.shape, c.dtype, element)
    return result, at, at, at


@lowers("gather.default")
def _gather(c: Call, x: Lazy, dim: int, at: Lazy, sparse_grad: bool = False) -> Lazy:
    if not x.shape:
        return x
    dim %= len(x.shape)

    def element(place: Place) -> Expr:
        i = looked_up(at.at(place), x.shape[dim], False)
        return x.at((*place[:dim], i, *place[dim + 1 :]))

    return Lazy(c.shape, c.dtype, element)


@lowers("index_select.default")
def _index_select(c: Call, x: Lazy, dim: int, at: Lazy) -> Lazy:
    dim %= max(len(x.shape), 1)

    def element(place: Place) -> Expr:
        i = looked_up(at.at((place[dim],) if at.shape else ()), x.shape[dim], False)
        return x.at((*place[:dim], i, *place[dim + 1 :]))

    return Lazy(c.shape, c.dtype, element)


@lowers("index.Tensor", "_unsafe_index.Tensor")
def _index(c: Call, x: Lazy, indices: Sequence[Lazy | None]) -> Lazy:
    indices = [*indices, *([None] * (len(x.shape) - len(indices)))]
    if any(i is not None and i.dtype == torch.bool for i in indices):
        raise Unsupported("a mask as an index (the shape of the result depends on values)")
    used = [d for d, i in enumerate(indices) if i is not None]
    given = [i for i in indices if i is not None]
    shape = broadcast_shape(*(i.shape for i in given))
    together = used == list(range(used[0], used[-1] + 1))
    lead = used[0] if together else 0

    def element(place: Place) -> Expr:
        at = place[lead : lead + len(shape)]
        rest = [*place[:lead], *place[lead + len(shape) :]]
        own: list[Index] = []
        for d, tensor in enumerate(indices):
            if tensor is None:
                own.append(rest.pop(0))
            else:
                node = element_of(tensor, at, tensor.kind)
                own.append(looked_up(node, x.shape[d], True))
        return x.at(tuple(own))

    return Lazy(c.shape, c.dtype, element)


@lowers("one_hot.default")
def _one_hot(c: Call, at: Lazy, classes: int = -1) -> Lazy:
    def element(place: Place) -> Expr:
        value = expr.cast(at.at(place[:-1]), "i64")
        hit = op("eq", expr.index_value(place[-1]), value)
        return expr.cast(hit, KINDS[c.dtype])

    return Lazy(c.shape, c.dtype, element)
