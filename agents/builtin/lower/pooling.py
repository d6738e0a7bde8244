"""Pooling and resizing: windows as small reductions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kernelwright.agents.builtin import expr, index
from kernelwright.agents.builtin.expr import KINDS, Expr, in_range, number, op
from kernelwright.agents.builtin.index import Index
from kernelwright.agents.builtin.lazy import Lazy, Place, Reduction
from kernelwright.agents.builtin.lower.algebra import compute_dtype, to_dtype
from kernelwright.agents.builtin.lower.registry import Call, Unsupported, lowers


def _pair(value: Sequence[int] | int, rank: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * rank if len(values) == 1 else values


def window(
    x: Lazy, outer: Place, inner: Place, stride: Sequence[int], pad: Sequence[int],
    dilation: Sequence[int], blank: float,
) -> Expr:  # fmt: skip
    """The element of x under a window's place, `blank` outside of it."""
    rank = len(inner)
    lead, tail = outer[:-rank], outer[-rank:]
    inside = number(True, "b")
    own: list[Index] = []
    for d in range(rank):
        at = tail[d] * stride[d] + inner[d] * dilation[d] - pad[d]
        extent = x.shape[len(lead) + d]
        inside = op("and", inside, in_range(at, 0, extent))
        own.append(at.clamp(0, extent - 1))
    element = x.at((*lead, *own))
    return op("where", inside, element, number(blank, element.kind))


@lowers("max_pool2d_with_indices.default", "max_pool3d_with_indices.default")
def _max_pool(
    c: Call, x: Lazy, kernel: Sequence[int], stride: Sequence[int] = (),
    padding: Sequence[int] = (0,), dilation: Sequence[int] = (1,), ceil_mode: bool = False,
) -> tuple[Lazy, Lazy]:  # fmt: skip
    rank = 3 if "3d" in c.operator else 2
    kernel = _pair(kernel, rank)
    stride = _pair(stride, rank) if stride else kernel
    padding, dilation = _pair(padding, rank), _pair(dilation, rank)

    def body(outer: Place, inner: Place) -> Expr:
        return window(x, outer, inner, stride, padding, dilation, -math.inf)

    node = Reduction("max", c.shape, tuple(kernel), body, x.kind)
    values = Lazy(c.shape, x.dtype, node.at)

    def missing(place: Place) -> Expr:
        raise Unsupported("the indices of the maxima")

    return values, Lazy(c.shape, c.results[1].dtype, missing)


@lowers("avg_pool1d.default", "avg_pool2d.default", "avg_pool3d.default")
def _avg_pool(
    c: Call, x: Lazy, kernel: Sequence[int], stride: Sequence[int] = (),
    padding: Sequence[int] = (0,), ceil_mode: bool = False, count_pad: bool = True,
    divisor: int | None = None,
) -> Lazy:  # fmt: skip
    rank = int(c.operator.split("avg_pool")[1][0])
    kernel = _pair(kernel, rank)
    stride = _pair(stride, rank) if stride else kernel
    padding = _pair(padding, rank)
    acc = compute_dtype(x.dtype)
    wide = to_dtype(x, acc)
    ones = [1] * rank

    def body(outer: Place, inner: Place) -> Expr:
        return window(wide, outer, inner, stride, padding, ones, 0.0)

    node = Reduction("sum", c.shape, tuple(kernel), body, KINDS[acc])

    def element(place: Place) -> Expr:
        total = node.at(place)
        if divisor:
            return op("div", total, number(divisor, total.kind))
        count = number(1, "i64")
        for d in range(rank):
            start = place[len(place) - rank + d] * stride[d] - padding[d]
            extent = x.shape[len(place) - rank + d]
            high = extent + (padding[d] if count_pad else 0)
            low = -padding[d] if count_pad else 0
            if start.bounds[0] >= low and start.bounds[1] + kernel[d] <= high:
                count = op("mul", count, number(kernel[d], "i64"))
                continue
            first = op("max", expr.index_value(start), number(low, "i64"))
            last = op("min", expr.index_value(start + kernel[d]), number(high, "i64"))
            count = op("mul", count, op("sub", last, first))
        return op("div", total, expr.cast(count, total.kind))

    return to_dtype(Lazy(c.shape, acc, element), c.dtype)


@lowers(
    "_adaptive_avg_pool2d.default", "adaptive_avg_pool1d.default", "_adaptive_avg_pool3d.default"
)
def _adaptive(c: Call, x: Lazy, size: Sequence[int]) -> Lazy:
    rank = int(c.operator.split("pool")[1][0])
    sizes = c.shape[-rank:]
    extents = x.shape[-rank:]
    if any(e % s for e, s in zip(extents, sizes, strict=True)):
        raise Unsupported("windows of unequal size")
    kernel = [e // s for e, s in zip(extents, sizes, strict=True)]
    plain = Call(f"aten.avg_pool{rank}d.default", c.results, c.program)
    return _avg_pool(plain, x, kernel, kernel)


@lowers("upsample_nearest1d.vec", "upsample_nearest2d.vec", "upsample_nearest1d.default",
        "upsample_nearest2d.default")  # fmt: skip
def _nearest(c: Call, x: Lazy, *_: Any) -> Lazy:
    rank = len(x.shape) - 2

    def element(place: Place) -> Expr:
        own = list(place[:2])
        for d in range(rank):
            extent, size = x.shape[2 + d], c.shape[2 + d]
            if size % extent:
                raise Unsupported("a factor that is no integer")
            own.append(place[2 + d] // (size // extent))
        return x.at(tuple(own))

    return Lazy(c.shape, c.dtype, element)


@lowers("pixel_shuffle.default")
def _pixel_shuffle(c: Call, x: Lazy, factor: int) -> Lazy:
    def element(place: Place) -> Expr:
        ch, h, w = place[-3:]
        own = index.linear((ch, h % factor, w % factor), (c.shape[-3], factor, factor))
        return x.at((*place[:-3], own, h // factor, w // factor))

    return Lazy(c.shape, c.dtype, element)
