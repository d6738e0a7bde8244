"""Reductions, scans, and what is made of them: softmax, norms, losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from kernelwright.agents.builtin.expr import KINDS, Expr, number, op
from kernelwright.agents.builtin.lazy import Lazy, Place, Scan, ScanKind
from kernelwright.agents.builtin.lower.algebra import (
    call,
    compute_dtype,
    dimensions,
    mean,
    pointwise,
    reduce,
    reshape,
    sum_,
    to_dtype,
    unsqueeze,
    variance,
)
from kernelwright.agents.builtin.lower.registry import Call, lowers


def _finish(x: Lazy, c: Call) -> Lazy:
    return to_dtype(x, c.dtype)


@lowers("sum.dim_IntList", "sum.default")
def _sum(c: Call, x: Lazy, dims: Any = None, keepdim: bool = False, **_: Any) -> Lazy:
    acc = compute_dtype(c.dtype)
    return _finish(reduce("sum", to_dtype(x, acc), dims, keepdim, acc), c)


@lowers("mean.dim", "mean.default")
def _mean(c: Call, x: Lazy, dims: Any = None, keepdim: bool = False, **_: Any) -> Lazy:
    return _finish(mean(to_dtype(x, compute_dtype(c.dtype)), dims, keepdim), c)


@lowers("amax.default", "amin.default")
def _extreme(c: Call, x: Lazy, dims: Any = None, keepdim: bool = False) -> Lazy:
    which = "max" if "amax" in c.operator else "min"
    return reduce(which, x, dims, keepdim, x.dtype)  # type: ignore[arg-type]


@lowers("max.default", "min.default")
def _extreme_all(c: Call, x: Lazy) -> Lazy:
    which = "max" if "max" in c.operator else "min"
    return reduce(which, x, None, False, x.dtype)  # type: ignore[arg-type]


@lowers("max.dim", "min.dim")
def _extreme_with_index(c: Call, x: Lazy, dim: int, keepdim: bool = False) -> tuple[Lazy, Lazy]:
    which = "max" if "max" in c.operator else "min"
    values = reduce(which, x, dim, keepdim, x.dtype)  # type: ignore[arg-type]
    places = reduce(f"arg{which}", x, dim, keepdim, torch.int64)  # type: ignore[arg-type]
    return values, places


@lowers("argmax.default", "argmin.default")
def _argument(c: Call, x: Lazy, dim: int | None = None, keepdim: bool = False) -> Lazy:
    which = "argmax" if "argmax" in c.operator else "argmin"
    return reduce(which, x, dim, keepdim, torch.int64)  # type: ignore[arg-type]


@lowers("any.default", "any.dim", "any.dims", "all.default", "all.dim", "all.dims")
def _truth(c: Call, x: Lazy, dims: Any = None, keepdim: bool = False) -> Lazy:
    which = "any" if "any" in c.operator else "all"
    flags = to_dtype(x, torch.bool)
    return _finish(reduce(which, flags, dims, keepdim, torch.bool), c)  # type: ignore[arg-type]


@lowers("prod.default", "prod.dim_int")
def _prod(c: Call, x: Lazy, dim: int | None = None, keepdim: bool = False, **_: Any) -> Lazy:
    acc = compute_dtype(c.dtype)
    return _finish(reduce("prod", to_dtype(x, acc), dim, keepdim, acc), c)


def _correction(unbiased: Any, correction: Any) -> float:
    if isinstance(unbiased, bool):
        return 1.0 if unbiased else 0.0
    return 1.0 if correction is None else float(correction)


@lowers("var.correction", "var.dim", "var.default")
def _var(
    c: Call, x: Lazy, dims: Any = None, unbiased: Any = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Lazy:  # fmt: skip
    wide = to_dtype(x, compute_dtype(c.dtype))
    if isinstance(dims, bool):
        dims, unbiased = None, dims
    return _finish(
        variance(
            wide, dims, _correction(unbiased, correction), keepdim, c.program.one_pass_variance
        )[0],
        c,
    )


@lowers("std.correction", "std.dim", "std.default")
def _std(c: Call, x: Lazy, *args: Any, **named: Any) -> Lazy:
    spread = _var(Call(c.operator, (c.results[0].to(compute_dtype(c.dtype)),), c.program),
                  x, *args, **named)  # fmt: skip
    return _finish(call("sqrt", spread, dtype=spread.dtype), c)


@lowers("var_mean.correction", "var_mean.dim")
def _var_mean(
    c: Call, x: Lazy, dims: Any = None, unbiased: Any = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> tuple[Lazy, Lazy]:  # fmt: skip
    wide = to_dtype(x, compute_dtype(c.dtype))
    spread, centre = variance(
        wide, dims, _correction(unbiased, correction), keepdim, c.program.one_pass_variance
    )
    return _finish(spread, c), _finish(centre, c)


@lowers("linalg_vector_norm.default")
def _vector_norm(
    c: Call, x: Lazy, order: float = 2, dims: Any = None, keepdim: bool = False, **_: Any
) -> Lazy:
    acc = compute_dtype(c.dtype)
    size = call("abs", to_dtype(x, acc), dtype=acc)
    if order == math.inf:
        return _finish(reduce("max", size, dims, keepdim, acc), c)
    if order == -math.inf:
        return _finish(reduce("min", size, dims, keepdim, acc), c)
    if order == 1:
        return _finish(sum_(size, dims, keepdim), c)
    if order == 2:
        total = sum_(call("mul", size, size, dtype=acc), dims, keepdim)
        return _finish(call("sqrt", total, dtype=acc), c)
    if order == 0:
        return _finish(
            sum_(to_dtype(call("ne", size, 0.0, dtype=torch.bool), acc), dims, keepdim), c
        )
    total = sum_(call("pow", size, float(order), dtype=acc), dims, keepdim)
    return _finish(call("pow", total, 1 / float(order), dtype=acc), c)


@lowers("dist.default")
def _dist(c: Call, a: Lazy, b: Lazy, order: float = 2) -> Lazy:
    return _vector_norm(c, call("sub", a, b, dtype=c.dtype), order)


def log_sum_exp(x: Lazy, dims: Any, keepdim: bool) -> Lazy:
    """log(sum(exp(x))) about the maximum; a maximum of +-inf is not subtracted."""
    top = reduce("max", x, dims, True, x.dtype)
    inf = math.inf

    def finite(v: Expr) -> Expr:
        return op("where", op("eq", op("abs", v), number(inf, v.kind)), number(0, v.kind), v)

    top = pointwise(finite, top, dtype=x.dtype)
    total = sum_(call("exp", call("sub", x, top, dtype=x.dtype), dtype=x.dtype), dims, True)
    result = call("add", call("log", total, dtype=x.dtype), top, dtype=x.dtype)
    if keepdim:
        return result
    over = dimensions(x, dims)
    return reshape(result, [e for d, e in enumerate(result.shape) if d not in over])


@lowers("logsumexp.default")
def _logsumexp(c: Call, x: Lazy, dims: Any, keepdim: bool = False) -> Lazy:
    return _finish(log_sum_exp(to_dtype(x, compute_dtype(x.dtype)), dims, keepdim), c)


@lowers("_softmax.default", "softmax.int", "_safe_softmax.default")
def _softmax(c: Call, x: Lazy, dim: int, *_: Any) -> Lazy:
    wide = to_dtype(x, compute_dtype(c.dtype))
    top = reduce("max", wide, dim, True, wide.dtype)
    powers = call("exp", call("sub", wide, top, dtype=wide.dtype), dtype=wide.dtype)
    total = sum_(powers, dim, True)
    result = call("div", powers, total, dtype=wide.dtype)
    if "_safe" in c.operator:
        zero = call("eq", top, -math.inf, dtype=torch.bool)
        from kernelwright.agents.builtin.lower.pointwise import _mixed

        result = _mixed(lambda m, z, v: op("where", m, z, v), zero, 0.0, result, dtype=wide.dtype)
    return _finish(result, c)


@lowers("_log_softmax.default", "log_softmax.int")
def _log_softmax(c: Call, x: Lazy, dim: int, *_: Any) -> Lazy:
    wide = to_dtype(x, compute_dtype(c.dtype))
    top = reduce("max", wide, dim, True, wide.dtype)
    away = call("sub", wide, top, dtype=wide.dtype)
    total = sum_(call("exp", away, dtype=wide.dtype), dim, True)
    return _finish(call("sub", away, call("log", total, dtype=wide.dtype), dtype=wide.dtype), c)


# ---- scans ----


def _scan(c: Call, kind: ScanKind, x: Lazy, dim: int) -> Lazy:
    acc = compute_dtype(c.dtype)
    if not x.shape:
        return to_dtype(x, c.dtype)
    wide = to_dtype(x, acc)
    node = Scan(kind, x.shape, dim % len(x.shape), wide.at, KINDS[acc])
    return _finish(Lazy(x.shape, acc, node.at), c)


@lowers("cumsum.default")
def _cumsum(c: Call, x: Lazy, dim: int, **_: Any) -> Lazy:
    return _scan(c, "sum", x, dim)


@lowers("cumprod.default")
def _cumprod(c: Call, x: Lazy, dim: int, **_: Any) -> Lazy:
    return _scan(c, "prod", x, dim)


# ---- norms ----


def _affine(x: Lazy, weight: Lazy | None, bias: Lazy | None) -> Lazy:
    if weight is not None:
        x = call("mul", x, to_dtype(weight, x.dtype), dtype=x.dtype)
    if bias is not None:
        x = call("add", x, to_dtype(bias, x.dtype), dtype=x.dtype)
    return x


def _normalised(c: Call, x: Lazy, dims: Sequence[int], eps: float) -> tuple[Lazy, Lazy, Lazy]:
    """(x - mean) / sqrt(var + eps), the mean, and 1 / sqrt(var + eps)."""
    spread, centre = variance(x, list(dims), 0, True, c.program.one_pass_variance)
    scale = pointwise(
        lambda v: op("rsqrt", op("add", v, number(eps, v.kind))), spread, dtype=x.dtype
    )
    away = call("sub", x, centre, dtype=x.dtype)
    return call("mul", away, scale, dtype=x.dtype), centre, scale


@lowers("native_layer_norm.default", "layer_norm.default")
def _layer_norm(
    c: Call, x: Lazy, shape: Sequence[int], weight: Lazy | None = None, bias: Lazy | None = None,
    eps: float = 1e-5, *_: Any,
) -> tuple[Lazy, Lazy, Lazy]:  # fmt: skip
    wide = to_dtype(x, compute_dtype(x.dtype))
    dims = list(range(len(x.shape) - len(shape), len(x.shape)))
    normal, centre, scale = _normalised(c, wide, dims, eps)
    return to_dtype(_affine(normal, weight, bias), x.dtype), centre, scale


@lowers("_fused_rms_norm.default")
def _rms_norm(
    c: Call, x: Lazy, shape: Sequence[int], weight: Lazy | None = None, eps: float | None = None
) -> tuple[Lazy, Lazy]:
    wide = to_dtype(x, compute_dtype(x.dtype))
    dims = list(range(len(x.shape) - len(shape), len(x.shape)))
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    squares = mean(call("mul", wide, wide, dtype=wide.dtype), dims, True)
    scale = pointwise(
        lambda v: op("rsqrt", op("add", v, number(eps, v.kind))), squares, dtype=wide.dtype
    )
    normal = call("mul", wide, scale, dtype=wide.dtype)
    return to_dtype(_affine(normal, weight, None), x.dtype), scale


@lowers("native_group_norm.default")
def _group_norm(
    c: Call, x: Lazy, weight: Lazy | None, bias: Lazy | None, n: int, channels: int, inner: int,
    groups: int, eps: float,
) -> tuple[Lazy, Lazy, Lazy]:  # fmt: skip
    wide = reshape(to_dtype(x, compute_dtype(x.dtype)), (n, groups, channels // groups, inner))
    normal, centre, scale = _normalised(c, wide, [2, 3], eps)
    normal = reshape(normal, (n, channels, inner))
    column = [None if p is None else unsqueeze(p, 1) for p in (weight, bias)]
    result = reshape(_affine(normal, column[0], column[1]), x.shape)
    flat = (n, groups)
    return to_dtype(result, x.dtype), reshape(centre, flat), reshape(scale, flat)


def _per_channel(p: Lazy, rank: int) -> Lazy:
    return reshape(p, (p.shape[0], *([1] * (rank - 2))))


@lowers(
    "_native_batch_norm_legit_no_training.default", "_native_batch_norm_legit_functional.default",
    "_native_batch_norm_legit.no_stats", "batch_norm.default",
)  # fmt: skip
def _batch_norm(
    c: Call, x: Lazy, weight: Lazy | None, bias: Lazy | None, *rest: Any
) -> tuple[Lazy, ...]:
    wide = to_dtype(x, compute_dtype(x.dtype))
    rank = len(x.shape)
    running: tuple[Lazy | None, Lazy | None] = (None, None)
    if "no_training" in c.operator:
        running, (momentum, eps), training = (rest[0], rest[1]), rest[2:4], False
    elif "no_stats" in c.operator:
        training, momentum, eps = rest[:3]
    else:
        running, (training, momentum, eps) = (rest[0], rest[1]), rest[2:5]
    affine = [None if p is None else _per_channel(p, rank) for p in (weight, bias)]
    if not training:
        assert running[0] is not None and running[1] is not None
        centre = _per_channel(to_dtype(running[0], wide.dtype), rank)
        spread = _per_channel(to_dtype(running[1], wide.dtype), rank)
        scale = pointwise(
            lambda v: op("rsqrt", op("add", v, number(eps, v.kind))), spread, dtype=wide.dtype
        )
        normal = call("mul", call("sub", wide, centre, dtype=wide.dtype), scale, dtype=wide.dtype)
        result = to_dtype(_affine(normal, affine[0], affine[1]), x.dtype)
        empty = Lazy((0,), wide.dtype, lambda place: number(0, KINDS[wide.dtype]))
        return result, empty, empty
    dims = [d for d in range(rank) if d != 1]
    normal, centre, scale = _normalised(c, wide, dims, eps)
    result = to_dtype(_affine(normal, affine[0], affine[1]), x.dtype)
    flat = (x.shape[1],)
    statistics = reshape(centre, flat), reshape(scale, flat)
    if running[0] is None or running[1] is None:
        return result, *statistics
    count = x.numel // x.shape[1]
    unbiased, _ = variance(wide, dims, 1 if count > 1 else 0, True)
    moved = [
        pointwise(
            lambda old, new: op(
                "add",
                op("mul", old, number(1 - momentum, old.kind)),
                op("mul", new, number(momentum, new.kind)),
            ),
            old,
            to_dtype(reshape(new, flat), old.dtype),
            dtype=old.dtype,
        )
        for old, new in ((running[0], centre), (running[1], unbiased))
    ]
    return result, *statistics, *moved


# ---- losses that torch keeps whole ----


def _reduced(loss: Lazy, reduction: int) -> Lazy:
    """reduction as ATen numbers it: 0 none, 1 mean, 2 sum."""
    if reduction == 0:
        return loss
    return mean(loss, None, False) if reduction == 1 else sum_(loss, None, False)


def _loss(operator: str, function: Any) -> None:
    def lowering(
        c: Call, x: Lazy, target: Lazy, reduction: int = 1, *rest: Any, **named: Any
    ) -> Lazy:
        acc = compute_dtype(c.dtype)
        loss = pointwise(
            lambda a, b: function(a, b, *rest, **named), to_dtype(x, acc), to_dtype(target, acc),
            dtype=acc,
        )  # fmt: skip
        return _finish(_reduced(loss, reduction), c)

    lowers(operator)(lowering)


def _squared(a: Expr, b: Expr) -> Expr:
    away = op("sub", a, b)
    return op("mul", away, away)


def _smooth_l1(a: Expr, b: Expr, beta: float = 1.0) -> Expr:
    k = a.kind
    away = op("abs", op("sub", a, b))
    if beta == 0:
        return away
    near = op("mul", op("mul", away, away), number(0.5 / beta, k))
    return op(
        "where", op("lt", away, number(beta, k)), near, op("sub", away, number(0.5 * beta, k))
    )


def _huber(a: Expr, b: Expr, delta: float = 1.0) -> Expr:
    k = a.kind
    away = op("abs", op("sub", a, b))
    near = op("mul", op("mul", away, away), number(0.5, k))
    far = op("mul", op("sub", away, number(0.5 * delta, k)), number(delta, k))
    return op("where", op("le", away, number(delta, k)), near, far)


_loss("mse_loss.default", _squared)
_loss("smooth_l1_loss.default", _smooth_l1)
_loss("huber_loss.default", _huber)


@lowers("nll_loss_forward.default", "nll_loss2d_forward.default")
def _nll(
    c: Call, logp: Lazy, target: Lazy, weight: Lazy | None, reduction: int, ignore: int
) -> tuple[Lazy, Lazy]:
    from kernelwright.agents.builtin.lower.views import looked_up

    batched = len(logp.shape) > 1
    classes = logp.shape[1] if batched else logp.shape[0]

    def label(place: Place) -> tuple[Expr, Expr]:
        t = target.at(place)
        used = op("ne", t, number(ignore, t.kind))
        return used, op("where", used, t, number(0, t.kind))

    def factor(place: Place) -> Expr:
        used, t = label(place)
        own = number(1, logp.kind) if weight is None else weight.at((looked_up(t, classes, False),))
        return op("where", used, own, number(0, logp.kind))

    def element(place: Place) -> Expr:
        used, t = label(place)
        at = looked_up(t, classes, False)
        value = op("neg", logp.at((place[0], at, *place[1:]) if batched else (at,)))
        if weight is not None:
            value = op("mul", value, weight.at((at,)))
        return op("where", used, value, number(0, logp.kind))

    acc = compute_dtype(logp.dtype)
    losses = Lazy(target.shape, acc, element)
    factors = sum_(Lazy(target.shape, acc, factor), None, False)
    if reduction == 0:
        return to_dtype(losses, logp.dtype), to_dtype(factors, logp.dtype)
    total = sum_(losses, None, False)
    if reduction == 1:
        total = call("div", total, factors, dtype=acc)
    return to_dtype(total, logp.dtype), to_dtype(factors, logp.dtype)
