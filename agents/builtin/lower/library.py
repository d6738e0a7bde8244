"""Operators that stay library calls: products, convolutions, attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from kernelwright.agents.builtin import expr, index
from kernelwright.agents.builtin.expr import KINDS, Buffer, Expr, number, op
from kernelwright.agents.builtin.lazy import Lazy, LibraryCall, Place, Reduction, of_buffer
from kernelwright.agents.builtin.lower.algebra import (
    call,
    compute_dtype,
    expand,
    pointwise,
    reshape,
    to_dtype,
)
from kernelwright.agents.builtin.lower.registry import Call, Unsupported, lowers

DIRECT_TAPS = 9
"""One-dimensional depthwise convolutions of so many taps at most are loops of their own."""


def library(c: Call, name: str, text: str, *tensors: Lazy, work: int, **detail: Any) -> Lazy:
    """A call of torch whose arguments have to lie in memory; gives its result as a tensor."""
    for tensor in tensors:
        if not tensor.shape and tensor.stored is None:
            c.program.materialise(tensor)
    result = Buffer(c.program.name("t"), c.dtype, c.shape, "temporary")
    if not c.results[0].is_contiguous():
        result.strides = tuple(c.results[0].stride())
    c.program.steps.append(LibraryCall(text, tensors, result, name, work, dict(detail)))
    return of_buffer(result)


@lowers("mm.default")
def _mm(c: Call, a: Lazy, b: Lazy) -> Lazy:
    work = 2 * a.shape[0] * a.shape[1] * b.shape[1]
    return library(c, "mm", "torch.mm({0}, {1})", a, b, work=work)


@lowers("bmm.default")
def _bmm(c: Call, a: Lazy, b: Lazy) -> Lazy:
    work = 2 * math.prod(a.shape) * b.shape[2]
    return library(c, "bmm", "torch.bmm({0}, {1})", a, b, work=work)


@lowers("addmm.default")
def _addmm(c: Call, bias: Lazy, a: Lazy, b: Lazy, beta: float = 1, alpha: float = 1) -> Lazy:
    product = _mm(c, a, b)
    return _plus(c, product, bias, beta, alpha)


@lowers("baddbmm.default")
def _baddbmm(c: Call, bias: Lazy, a: Lazy, b: Lazy, beta: float = 1, alpha: float = 1) -> Lazy:
    return _plus(c, _bmm(c, a, b), bias, beta, alpha)


def _plus(c: Call, product: Lazy, bias: Lazy, beta: float, alpha: float) -> Lazy:
    if alpha != 1:
        product = call("mul", product, alpha, dtype=c.dtype)
    if beta == 0:
        return product
    if beta != 1:
        bias = call("mul", bias, beta, dtype=c.dtype)
    return call("add", product, expand(bias, c.shape), dtype=c.dtype)


@lowers("mv.default")
def _mv(c: Call, a: Lazy, x: Lazy) -> Lazy:
    """As a reduction: it is bound by reading the matrix."""
    from kernelwright.agents.builtin.lower.algebra import sum_, unsqueeze

    return sum_(call("mul", a, unsqueeze(x, 0), dtype=c.dtype), 1, False)


@lowers("addmv.default")
def _addmv(c: Call, bias: Lazy, a: Lazy, x: Lazy, beta: float = 1, alpha: float = 1) -> Lazy:
    return _plus(c, _mv(c, a, x), bias, beta, alpha)


@lowers("dot.default", "vdot.default")
def _dot(c: Call, a: Lazy, b: Lazy) -> Lazy:
    from kernelwright.agents.builtin.lower.algebra import sum_

    return sum_(call("mul", a, b, dtype=c.dtype), None, False)


@lowers("convolution.default")
def _convolution(
    c: Call, x: Lazy, weight: Lazy, bias: Lazy | None, stride: Sequence[int],
    padding: Sequence[int], dilation: Sequence[int], transposed: bool,
    output_padding: Sequence[int], groups: int,
) -> Lazy:  # fmt: skip
    one_dimensional = len(c.shape) == 3 and weight.shape[1] == 1
    if one_dimensional and not transposed and weight.shape[2] <= DIRECT_TAPS:
        return _depthwise(c, x, weight, bias, stride, padding, dilation)
    text = (
        f"torch.convolution({{0}}, {{1}}, None, {list(stride)}, {list(padding)}, "
        f"{list(dilation)}, {transposed}, {list(output_padding)}, {groups})"
    )
    work = 2 * math.prod(c.shape) * math.prod(weight.shape[1:])
    result = library(
        c, "convolution", text, x, weight, work=work, stride=tuple(stride),
        padding=tuple(padding), dilation=tuple(dilation), groups=groups, transposed=transposed,
    )  # fmt: skip
    if bias is None:
        return result
    column = reshape(bias, (bias.shape[0], *([1] * (len(c.shape) - 2))))
    return call("add", result, column, dtype=c.dtype)


def _depthwise(
    c: Call, x: Lazy, weight: Lazy, bias: Lazy | None, stride: Sequence[int],
    padding: Sequence[int], dilation: Sequence[int],
) -> Lazy:  # fmt: skip
    """One input channel for each output channel: few taps, bound by memory, a window like a pool's."""
    from kernelwright.agents.builtin.lower.pooling import window

    rank = len(c.shape) - 2
    each = weight.shape[0] // x.shape[1]
    kind = KINDS[compute_dtype(c.dtype)]

    def body(outer: Place, inner: Place) -> Expr:
        place = (outer[0], outer[1] // each, *outer[2:])
        element = window(x, place, inner, stride, padding, dilation, 0.0)
        tap = weight.at((outer[1], index.ZERO, *inner))
        return op("mul", expr.cast(element, kind), expr.cast(tap, kind))

    node = Reduction("sum", c.shape, tuple(weight.shape[2:]), body, kind)
    result = Lazy(c.shape, c.dtype, node.at)
    assert rank == len(node.ranges)
    if bias is None:
        return result
    column = reshape(bias, (bias.shape[0], *([1] * rank)))
    return call("add", result, column, dtype=c.dtype)


@lowers("scaled_dot_product_attention.default")
def _attention(
    c: Call, q: Lazy, k: Lazy, v: Lazy, mask: Lazy | None = None, dropout: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Lazy:  # fmt: skip
    if dropout:
        raise Unsupported("dropout")
    options = f"is_causal={is_causal}, scale={scale}, enable_gqa={enable_gqa}"
    head = "torch.nn.functional.scaled_dot_product_attention({0}, {1}, {2}"
    tensors = [q, k, v]
    if mask is not None:
        if mask.dtype not in (torch.bool, q.dtype):
            mask = to_dtype(mask, q.dtype)
        tensors.append(mask)
        head += ", attn_mask={3}"
    work = 4 * math.prod(q.shape) * k.shape[-2]
    return library(
        c, "attention", f"{head}, {options})", *tensors, work=work, causal=is_causal,
        scale=scale, gqa=enable_gqa, masked=mask is not None,
    )  # fmt: skip


@lowers("_scaled_dot_product_flash_attention_for_cpu.default")
def _flash(
    c: Call, q: Lazy, k: Lazy, v: Lazy, dropout: float = 0.0, is_causal: bool = False, *,
    attn_mask: Lazy | None = None, scale: float | None = None,
) -> tuple[Lazy, Lazy]:  # fmt: skip
    result = _attention(c, q, k, v, attn_mask, dropout, is_causal, scale=scale)
    return result, result


@lowers("_cdist_forward.default", "_euclidean_dist.default")
def _cdist(c: Call, a: Lazy, b: Lazy, p: float = 2.0, *_: Any) -> Lazy:
    from kernelwright.agents.builtin.lower.algebra import reduce, sum_, unsqueeze

    away = call(
        "abs", call("sub", unsqueeze(a, -2), unsqueeze(b, -3), dtype=c.dtype), dtype=c.dtype
    )
    if p == math.inf:
        return reduce("max", away, -1, False, c.dtype)
    if p == 1:
        return sum_(away, -1, False)
    if p != 2:
        raise Unsupported(f"the {p}-norm")
    squares = sum_(call("mul", away, away, dtype=c.dtype), -1, False)
    return pointwise(lambda x: op("sqrt", op("max", x, number(0, x.kind))), squares, dtype=c.dtype)


def _whole(*operators: str) -> None:
    """Operators that only the library knows, run on tensors in memory."""

    def lowering(c: Call, *args: Any, **named: Any) -> Any:
        tensors: list[Lazy] = []

        def text(value: Any) -> str:
            if isinstance(value, Lazy):
                tensors.append(value)
                return f"{{{len(tensors) - 1}}}"
            if isinstance(value, list | tuple):
                return "[" + ", ".join(text(v) for v in value) + "]"
            return repr(value)

        inside = [text(a) for a in args] + [f"{k}={text(v)}" for k, v in named.items()]
        name = c.operator.removeprefix("aten.")
        results = [_result(c, r) for r in c.results]
        step = LibraryCall(
            f"torch.ops.aten.{name}({', '.join(inside)})", tuple(tensors), results[0], name,
            extra=tuple(results[1:]),
        )  # fmt: skip
        c.program.steps.append(step)
        made = tuple(of_buffer(b) for b in results)
        return made if len(made) > 1 else made[0]

    lowers(*operators)(lowering)


def _result(c: Call, meta: torch.Tensor) -> Buffer:
    buffer = Buffer(c.program.name("t"), meta.dtype, tuple(meta.shape), "temporary")
    if not meta.is_contiguous():
        buffer.strides = tuple(meta.stride())
    return buffer


_whole(
    "sort.default", "sort.stable", "topk.default", "kthvalue.default", "median.dim", "cummax.default",
    "cummin.default", "logcumsumexp.default", "scatter.value", "scatter.src", "scatter_add.default",
    "scatter_reduce.two", "index_put.default", "index_add.default", "bucketize.Tensor",
    "searchsorted.Tensor", "adaptive_max_pool2d.default", "grid_sampler_2d.default",
    "upsample_bilinear2d.vec", "upsample_bicubic2d.vec", "upsample_linear1d.vec", "histc.default",
    "max_unpool2d.default", "linalg_inv_ex.default", "linalg_cholesky_ex.default",
)  # fmt: skip
