"""What lowerings are made of: pointwise operations, views, reductions on lazy tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from kernelwright.agents.builtin import expr
from kernelwright.agents.builtin.expr import KINDS, Expr, Kind
from kernelwright.agents.builtin.index import (
    ZERO,
    Index,
    const,
    delinear,
    linear,
)
from kernelwright.agents.builtin.lazy import Lazy, Place, Reduction, ReductionKind

Operand = Lazy | int | float | bool
SAMPLE = 64
"""A power of two: equal numbers are summed without rounding."""
SMALL = (torch.int8, torch.int16, torch.uint8)


def broadcast_shape(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The common shape, as torch broadcasts."""
    result: tuple[int, ...] = tuple(torch.broadcast_shapes(*shapes))  # type: ignore[no-untyped-call]
    return result


def shape_of(x: Operand) -> tuple[int, ...]:
    """The shape of an operand, () for a number."""
    return x.shape if isinstance(x, Lazy) else ()


def expand(x: Lazy, shape: Sequence[int]) -> Lazy:
    """Broadcast to a shape with at least as many dimensions."""
    shape = tuple(shape)
    if shape == x.shape:
        return x
    lead = len(shape) - len(x.shape)

    def element(place: Place) -> Expr:
        own = place[lead:]
        return x.at(tuple(ZERO if e == 1 else i for i, e in zip(own, x.shape, strict=True)))

    return Lazy(shape, x.dtype, element)


def element_of(x: Operand, place: Place, kind: Kind) -> Expr:
    """An element of an operand that broadcasts to `place`, in a kind."""
    if not isinstance(x, Lazy):
        return expr.number(x, kind)
    lead = len(place) - len(x.shape)
    own = place[lead:]
    return expr.cast(
        x.at(tuple(ZERO if e == 1 else i for i, e in zip(own, x.shape, strict=True))), kind
    )


def pointwise(
    function: Callable[..., Expr],
    *operands: Operand,
    dtype: torch.dtype,
    compute: torch.dtype | None = None,
) -> Lazy:
    """`function` of the elements, computed in the kind of `compute` (default: of the result)."""
    shape = broadcast_shape(*(shape_of(x) for x in operands))
    kind = KINDS[compute or dtype]

    def element(place: Place) -> Expr:
        node = function(*(element_of(x, place, kind) for x in operands))
        return wrapped(expr.cast(node, KINDS[dtype]), dtype)

    return Lazy(shape, dtype, element)


def wrapped(node: Expr, dtype: torch.dtype) -> Expr:
    """A small integer after arithmetic: modulo its width, as torch has it."""
    return expr.make("wrap", (node,), "i32", dtype) if dtype in SMALL else node


def call(name: str, *operands: Operand, dtype: torch.dtype) -> Lazy:
    """A pointwise operation by the name of its node."""
    return pointwise(lambda *e: expr.op(name, *e), *operands, dtype=dtype)


def to_dtype(x: Lazy, dtype: torch.dtype) -> Lazy:
    """Conversion of every element."""
    if x.dtype == dtype:
        return x
    return Lazy(x.shape, dtype, lambda place: wrapped(expr.cast(x.at(place), KINDS[dtype]), dtype))


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """In what torch accumulates: fp32 for the half precisions."""
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


# ---- views ----


def reindex(x: Lazy, shape: Sequence[int], where: Callable[[Place], Place]) -> Lazy:
    """A view: element `place` is `x` at `where(place)`."""
    return Lazy(tuple(shape), x.dtype, lambda place: x.at(where(place)))


def reshape(x: Lazy, shape: Sequence[int]) -> Lazy:
    """The same elements in row-major order; one extent may be -1."""
    shape = list(shape)
    if -1 in shape:
        known = math.prod(e for e in shape if e != -1)
        shape[shape.index(-1)] = x.numel // max(known, 1)
    if tuple(shape) == x.shape:
        return x
    target = tuple(shape)
    return reindex(x, target, lambda place: _reshaped(place, target, x.shape))


def _reshaped(place: Place, now: tuple[int, ...], before: tuple[int, ...]) -> Place:
    """Index before the reshape: dimensions that cover the same elements are resolved together."""
    result: list[Index] = [ZERO] * len(before)
    if math.prod(now) == 0:
        return tuple(result)
    mine = [d for d, e in enumerate(now) if e != 1]
    theirs = [d for d, e in enumerate(before) if e != 1]
    while mine:
        a, b = [mine.pop(0)], [theirs.pop(0)]
        while True:
            na, nb = math.prod(now[d] for d in a), math.prod(before[d] for d in b)
            if na == nb:
                break
            if na < nb:
                a.append(mine.pop(0))
            else:
                b.append(theirs.pop(0))
        position = linear(tuple(place[d] for d in a), tuple(now[d] for d in a))
        parts = delinear(position, tuple(before[d] for d in b))
        for d, part in zip(b, parts, strict=True):
            result[d] = part
    return tuple(result)


def permute(x: Lazy, order: Sequence[int]) -> Lazy:
    """Dimension k of the result is dimension `order[k]` of x."""
    order = [d % len(x.shape) for d in order]

    def where(place: Place) -> Place:
        own: list[Index] = [ZERO] * len(order)
        for k, d in enumerate(order):
            own[d] = place[k]
        return tuple(own)

    return reindex(x, [x.shape[d] for d in order], where)


def narrow(x: Lazy, dim: int, start: int, length: int, step: int = 1) -> Lazy:
    """`length` elements of a dimension from `start`, every `step`-th."""
    dim %= len(x.shape)
    shape = [*x.shape]
    shape[dim] = length
    return reindex(x, shape, lambda p: (*p[:dim], p[dim] * step + start, *p[dim + 1 :]))


def select(x: Lazy, dim: int, at: int) -> Lazy:
    """One slice, without the dimension."""
    dim %= len(x.shape)
    at = at % x.shape[dim] if x.shape[dim] else at
    shape = [e for d, e in enumerate(x.shape) if d != dim]
    return reindex(x, shape, lambda p: (*p[:dim], const(at), *p[dim:]))


def unsqueeze(x: Lazy, dim: int) -> Lazy:
    """A dimension of one put in at `dim`."""
    dim %= len(x.shape) + 1
    shape = [*x.shape[:dim], 1, *x.shape[dim:]]
    return reindex(x, shape, lambda p: (*p[:dim], *p[dim + 1 :]))


# ---- reductions ----


def dimensions(x: Lazy, dims: Any) -> list[int]:
    """Dimensions as non-negative numbers; None or [] means all."""
    if dims is None or (isinstance(dims, list | tuple) and not dims):
        return list(range(len(x.shape)))
    if isinstance(dims, int):
        dims = [dims]
    return sorted({d % max(len(x.shape), 1) for d in dims}) if x.shape else []


def reduce(
    reduces: ReductionKind,
    x: Lazy,
    dims: Any,
    keepdim: bool,
    dtype: torch.dtype,
    compute: torch.dtype | None = None,
) -> Lazy:
    """Reduce over dimensions. `compute`: the dtype that it is accumulated in."""
    over = dimensions(x, dims)
    kept = [d for d in range(len(x.shape)) if d not in over]
    kind: Kind = KINDS[compute or dtype] if reduces not in ("argmax", "argmin") else x.kind
    result_kind: Kind = "i64" if reduces in ("argmax", "argmin") else kind

    def body(outer: Place, inner: Place) -> Expr:
        place: list[Index] = [ZERO] * len(x.shape)
        for d, i in zip(kept, outer, strict=True):
            place[d] = i
        for d, i in zip(over, inner, strict=True):
            place[d] = i
        return expr.cast(x.at(tuple(place)), kind)

    node = Reduction(
        reduces,
        tuple(x.shape[d] for d in kept),
        tuple(x.shape[d] for d in over),
        body,
        result_kind,
    )
    shape = [1 if d in over else e for d, e in enumerate(x.shape) if keepdim or d not in over]

    def element(place: Place) -> Expr:
        return node.at(tuple(place[d] for d in kept) if keepdim else place)

    return Lazy(tuple(shape), dtype, element)


def sum_(x: Lazy, dims: Any, keepdim: bool = True, dtype: torch.dtype | None = None) -> Lazy:
    """Sum in the accumulation dtype of the result."""
    dtype = dtype or x.dtype
    return reduce("sum", x, dims, keepdim, compute_dtype(dtype))


def mean(x: Lazy, dims: Any, keepdim: bool = True) -> Lazy:
    """Mean in fp32 (fp64 for fp64)."""
    count = math.prod(x.shape[d] for d in dimensions(x, dims))
    total = sum_(x, dims, keepdim)
    return call("div", total, float(count) if count else math.nan, dtype=total.dtype)


def variance(
    x: Lazy, dims: Any, correction: float, keepdim: bool = True, one_pass: bool = False
) -> tuple[Lazy, Lazy]:
    """Variance and mean, in one pass over x or two.

    In two passes the second corrects the mean of the first, so that both are as good as summed in
    twice the precision (T. Chan, G. Golub, R. LeVeque, Algorithms for computing the sample variance,
    1983). In one pass both are taken about the mean of the row's first SAMPLE elements: of a
    constant that is exact, and an outlier among them moves it by a small part of the deviation.
    """
    over = dimensions(x, dims)
    count = math.prod(x.shape[d] for d in over)
    long = [d for d in over if x.shape[d] >= 2 * SAMPLE]
    if one_pass and long:
        start = _sample_mean(x, over, long[-1])
    else:
        start = mean(x, dims, True)
    away = call("sub", x, start, dtype=start.dtype)
    shift = mean(away, dims, True)
    squares = sum_(call("mul", away, away, dtype=start.dtype), dims, True)

    def corrected(total: Expr, m: Expr) -> Expr:
        off = expr.op("mul", expr.op("mul", m, m), expr.number(count, m.kind))
        return expr.op("max", expr.op("sub", total, off), expr.number(0, m.kind))

    squares = pointwise(corrected, squares, shift, dtype=start.dtype)
    left = count - correction
    spread = call("div", squares, float(left) if left > 0 else 0.0, dtype=start.dtype)
    whole = call("add", start, shift, dtype=start.dtype)
    if keepdim:
        return spread, whole
    shape = [e for d, e in enumerate(x.shape) if d not in over]
    return reshape(spread, shape), reshape(whole, shape)


def _sample_mean(x: Lazy, over: Sequence[int], along: int) -> Lazy:
    """Mean of the first SAMPLE elements of every row; 0 where it is not finite (it must not spread)."""
    shape = tuple((SAMPLE if d == along else 1) if d in over else e for d, e in enumerate(x.shape))
    corner = reindex(x, shape, lambda p: p)
    sample = mean(corner, list(over), True)

    def finite(v: Expr) -> Expr:
        usable = expr.op("lt", expr.op("abs", v), expr.number(math.inf, v.kind))
        return expr.op("where", usable, v, expr.number(0, v.kind))

    return pointwise(finite, sample, dtype=x.dtype)
