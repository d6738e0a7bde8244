"""Pointwise operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from kernelwright.agents.builtin import expr
from kernelwright.agents.builtin.expr import Expr, is_float, number, op
from kernelwright.agents.builtin.lazy import Lazy
from kernelwright.agents.builtin.lower.algebra import (
    Operand,
    call,
    compute_dtype,
    pointwise,
    to_dtype,
)
from kernelwright.agents.builtin.lower.registry import Call, Unsupported, lowers

# ---- one operation, one node ----


def _simple(operators: tuple[str, ...], name: str) -> None:
    def lowering(c: Call, *operands: Operand) -> Lazy:
        return call(name, *operands, dtype=c.dtype)

    lowers(*operators)(lowering)


for _names, _node in {
    ("mul.Tensor", "mul.Scalar"): "mul",
    ("maximum.default",): "max",
    ("minimum.default",): "min",
    ("neg.default",): "neg",
    ("abs.default",): "abs",
    ("exp.default",): "exp",
    ("log.default",): "log",
    ("log1p.default",): "log1p",
    ("expm1.default",): "expm1",
    ("tanh.default",): "tanh",
    ("sigmoid.default",): "sigmoid",
    ("erf.default",): "erf",
    ("sin.default",): "sin",
    ("cos.default",): "cos",
    ("sqrt.default",): "sqrt",
    ("rsqrt.default",): "rsqrt",
    ("floor.default",): "floor",
    ("ceil.default",): "ceil",
    ("round.default",): "round",
    ("trunc.default",): "trunc",
}.items():
    _simple(_names, _node)


def _libm(operators: tuple[str, ...], function: str) -> None:
    """An operation that falls back on the C library, lane by lane."""

    def lowering(c: Call, *operands: Operand) -> Lazy:
        return pointwise(lambda *e: op("libm", *e, attr=function), *operands, dtype=c.dtype)

    lowers(*operators)(lowering)


for _name in (
    "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erfc", "exp2",
    "log2", "log10",
):  # fmt: skip
    _libm((f"{_name}.default",), _name)
_libm(("atan2.default",), "atan2")
_libm(("hypot.default",), "hypot")
_libm(("copysign.Tensor", "copysign.Scalar"), "copysign")
_libm(("lgamma.default",), "lgamma")


@lowers("fmod.Tensor", "fmod.Scalar")
def _fmod(c: Call, a: Operand, b: Operand) -> Lazy:
    if not c.dtype.is_floating_point:
        return call("truncrem", a, b, dtype=c.dtype)
    return pointwise(lambda x, y: op("libm", x, y, attr="fmod"), a, b, dtype=c.dtype)


# ---- arithmetic with a factor, division ----


def _scaled(name: str) -> Callable[..., Lazy]:
    def lowering(c: Call, a: Operand, b: Operand, *rest: float, alpha: float = 1) -> Lazy:
        factor = rest[0] if rest else alpha

        def f(x: Expr, y: Expr) -> Expr:
            return op(name, x, y if factor == 1 else op("mul", y, number(factor, y.kind)))

        if c.dtype == torch.bool:
            return call("or" if name == "add" else "xor", a, b, dtype=c.dtype)
        return pointwise(f, a, b, dtype=c.dtype)

    return lowering


lowers("add.Tensor", "add.Scalar")(_scaled("add"))
lowers("sub.Tensor", "sub.Scalar")(_scaled("sub"))


@lowers("rsub.Scalar", "rsub.Tensor")
def _rsub(c: Call, a: Operand, b: Operand, alpha: float = 1) -> Lazy:
    return pointwise(
        lambda x, y: op("sub", y, x if alpha == 1 else op("mul", x, number(alpha, x.kind))),
        a,
        b,
        dtype=c.dtype,
    )


@lowers("div.Tensor", "div.Scalar")
def _div(c: Call, a: Operand, b: Operand) -> Lazy:
    return call("div", a, b, dtype=c.dtype)


@lowers("div.Tensor_mode", "div.Scalar_mode")
def _div_mode(c: Call, a: Operand, b: Operand, rounding_mode: str | None = None) -> Lazy:
    if rounding_mode is None:
        return _div(c, a, b)

    def f(x: Expr, y: Expr) -> Expr:
        if is_float(x.kind):
            inner = expr.make("div", (x, y), x.kind)
            return op("floor" if rounding_mode == "floor" else "trunc", inner)
        return op("floordiv" if rounding_mode == "floor" else "truncdiv", x, y)

    return pointwise(f, a, b, dtype=c.dtype)


@lowers("floor_divide.default")
def _floor_divide(c: Call, a: Operand, b: Operand) -> Lazy:
    return _div_mode(c, a, b, rounding_mode="floor")


@lowers("remainder.Tensor", "remainder.Scalar")
def _remainder(c: Call, a: Operand, b: Operand) -> Lazy:
    def f(x: Expr, y: Expr) -> Expr:
        if not is_float(x.kind):
            return op("rem", x, y)
        r = op("libm", x, y, attr="fmod")
        wrong = op(
            "and",
            op("ne", r, number(0, r.kind)),
            op("ne", op("lt", r, number(0, r.kind)), op("lt", y, number(0, r.kind))),
        )
        return op("where", wrong, op("add", r, y), r)

    return pointwise(f, a, b, dtype=c.dtype)


@lowers("reciprocal.default")
def _reciprocal(c: Call, a: Lazy) -> Lazy:
    return pointwise(lambda x: op("div", number(1, x.kind), x), a, dtype=c.dtype)


def power(x: Expr, exponent: float) -> Expr:
    """x to a constant power; small multiples of a half by multiplication and square root."""
    if not is_float(x.kind):
        if exponent != int(exponent) or exponent < 0 or exponent > 64:
            raise Unsupported(f"an integer to the power {exponent}")
    elif exponent * 2 != int(exponent * 2) or abs(exponent) > 16:
        return op("pow", x, number(exponent, x.kind))
    if exponent < 0:
        if exponent == -0.5:
            return op("rsqrt", x)
        return op("div", number(1, x.kind), power(x, -exponent))
    if exponent == 0.5:
        # As torch: pow(-inf, 0.5) is inf and pow(-0., 0.5) is 0., unlike the square root.
        return op("sqrt", x)
    if exponent != int(exponent):
        return op("mul", power(x, int(exponent)), op("sqrt", x))
    result: Expr | None = None
    square, left = x, int(exponent)
    while left:
        if left & 1:
            result = square if result is None else op("mul", result, square)
        left >>= 1
        if left:
            square = op("mul", square, square)
    return number(1, x.kind) if result is None else result


@lowers("pow.Tensor_Scalar")
def _pow_scalar(c: Call, a: Lazy, exponent: float) -> Lazy:
    return pointwise(lambda x: power(x, exponent), a, dtype=c.dtype)


@lowers("pow.Tensor_Tensor", "pow.Scalar")
def _pow(c: Call, a: Operand, b: Operand) -> Lazy:
    if not c.dtype.is_floating_point:
        raise Unsupported("an integer tensor as an exponent")
    return call("pow", a, b, dtype=c.dtype)


# ---- comparisons and logic ----


def _common(a: Operand, b: Operand) -> torch.dtype:
    """In what dtype torch compares."""

    def meta(x: Operand) -> Any:
        if isinstance(x, Lazy):
            return torch.empty((1,) * len(x.shape), dtype=x.dtype, device="meta")
        return x

    return torch.result_type(meta(a), meta(b))


def _comparison(name: str) -> None:
    def lowering(c: Call, a: Operand, b: Operand) -> Lazy:
        return pointwise(lambda x, y: op(name, x, y), a, b, dtype=torch.bool, compute=_common(a, b))

    lowers(f"{name}.Tensor", f"{name}.Scalar")(lowering)


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _comparison(_name)


def _logical(name: str, c: Call, *operands: Operand) -> Lazy:
    flags = [to_dtype(x, torch.bool) if isinstance(x, Lazy) else bool(x) for x in operands]
    return call(name, *flags, dtype=torch.bool)


@lowers("logical_and.default")
def _logical_and(c: Call, a: Lazy, b: Lazy) -> Lazy:
    return _logical("and", c, a, b)


@lowers("logical_or.default")
def _logical_or(c: Call, a: Lazy, b: Lazy) -> Lazy:
    return _logical("or", c, a, b)


@lowers("logical_xor.default")
def _logical_xor(c: Call, a: Lazy, b: Lazy) -> Lazy:
    return _logical("xor", c, a, b)


@lowers("logical_not.default")
def _logical_not(c: Call, a: Lazy) -> Lazy:
    return _logical("not", c, a)


for _names, _node in {
    ("bitwise_and.Tensor", "bitwise_and.Scalar"): "and",
    ("bitwise_or.Tensor", "bitwise_or.Scalar"): "or",
    ("bitwise_xor.Tensor", "bitwise_xor.Scalar"): "xor",
    ("bitwise_not.default",): "not",
    ("bitwise_left_shift.Tensor",): "shl",
    ("bitwise_right_shift.Tensor",): "shr",
}.items():
    _simple(_names, _node)


@lowers("where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar")
def _where(c: Call, condition: Lazy, a: Operand, b: Operand) -> Lazy:
    def f(m: Expr, x: Expr, y: Expr) -> Expr:
        return op("where", m, x, y)

    return _mixed(f, condition, a, b, dtype=c.dtype)


def _mixed(
    f: Callable[[Expr, Expr, Expr], Expr],
    condition: Lazy,
    a: Operand,
    b: Operand,
    dtype: torch.dtype,
) -> Lazy:
    from kernelwright.agents.builtin.expr import KINDS
    from kernelwright.agents.builtin.lazy import Place
    from kernelwright.agents.builtin.lower.algebra import broadcast_shape, element_of, shape_of

    shape = broadcast_shape(shape_of(condition), shape_of(a), shape_of(b))

    def element(place: Place) -> Expr:
        kind = KINDS[dtype]
        return f(
            element_of(condition, place, "b"),
            element_of(a, place, kind),
            element_of(b, place, kind),
        )

    return Lazy(shape, dtype, element)


@lowers("masked_fill.Scalar", "masked_fill.Tensor")
def _masked_fill(c: Call, x: Lazy, mask: Lazy, fill: Operand) -> Lazy:
    return _mixed(lambda m, v, f: op("where", m, f, v), mask, x, fill, dtype=c.dtype)


@lowers("isnan.default")
def _isnan(c: Call, x: Lazy) -> Lazy:
    return pointwise(lambda v: op("ne", v, v), x, dtype=torch.bool, compute=x.dtype)


@lowers("isinf.default")
def _isinf(c: Call, x: Lazy) -> Lazy:
    def f(v: Expr) -> Expr:
        return op("eq", op("abs", v), number(math.inf, v.kind))

    return pointwise(f, x, dtype=torch.bool, compute=x.dtype)


@lowers("sign.default", "sgn.default")
def _sign(c: Call, x: Lazy) -> Lazy:
    def f(v: Expr) -> Expr:
        zero, one = number(0, v.kind), number(1, v.kind)
        minus = number(-1, v.kind)
        return op(
            "where", op("gt", v, zero), one,
            op("where", op("lt", v, zero), minus, op("where", op("eq", v, v), zero, zero)),
        )  # fmt: skip

    return pointwise(f, x, dtype=c.dtype)


# ---- clamps and activations ----


def clamped(x: Expr, low: Expr | None, high: Expr | None) -> Expr:
    """x between two bounds; NaN stays NaN."""
    if low is not None:
        x = op("where", op("lt", x, low), low, x)
    if high is not None:
        x = op("where", op("gt", x, high), high, x)
    return x


@lowers("clamp.default", "clamp.Tensor", "hardtanh.default")
def _clamp(c: Call, x: Lazy, low: Operand | None = None, high: Operand | None = None) -> Lazy:
    if c.operator == "aten.hardtanh.default":
        low, high = -1.0 if low is None else low, 1.0 if high is None else high
    result = x
    if low is not None:
        result = pointwise(lambda v, b: clamped(v, b, None), result, low, dtype=c.dtype)
    if high is not None:
        result = pointwise(lambda v, b: clamped(v, None, b), result, high, dtype=c.dtype)
    return result


@lowers("clamp_min.default", "clamp_min.Tensor")
def _clamp_min(c: Call, x: Lazy, low: Operand) -> Lazy:
    return _clamp(c, x, low)


@lowers("clamp_max.default", "clamp_max.Tensor")
def _clamp_max(c: Call, x: Lazy, high: Operand) -> Lazy:
    return _clamp(c, x, None, high)


def _activation(
    *operators: str,
) -> Callable[[Callable[..., Expr]], Callable[..., Expr]]:
    """Register a function of one element and plain numbers."""

    def register(function: Callable[..., Expr]) -> Callable[..., Expr]:
        def lowering(c: Call, x: Lazy, *numbers: Any, **named: Any) -> Lazy:
            return pointwise(lambda v: function(v, *numbers, **named), x, dtype=c.dtype)

        lowers(*operators)(lowering)
        return function

    return register


@_activation("relu.default")
def relu(v: Expr) -> Expr:
    """max(v, 0); NaN stays."""
    zero = number(0, v.kind)
    return op("where", op("lt", v, zero), zero, v)


@_activation("leaky_relu.default")
def _leaky(v: Expr, slope: float = 0.01) -> Expr:
    return op("where", op("gt", v, number(0, v.kind)), v, op("mul", v, number(slope, v.kind)))


@_activation("elu.default")
def _elu(v: Expr, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Expr:
    k = v.kind
    negative = op(
        "mul", op("expm1", op("mul", v, number(input_scale, k))), number(alpha * scale, k)
    )
    return op("where", op("gt", v, number(0, k)), op("mul", v, number(scale, k)), negative)


@_activation("silu.default")
def _silu(v: Expr) -> Expr:
    # Not x * sigmoid(x): the quotient keeps x / inf = -0 where the product gave -inf * 0.
    return op("div", v, op("add", op("exp", op("neg", v)), number(1, v.kind)))


@_activation("gelu.default")
def _gelu(v: Expr, approximate: str = "none") -> Expr:
    k = v.kind
    half = op("mul", v, number(0.5, k))
    if approximate == "tanh":
        cube = op("mul", op("mul", v, v), v)
        inner = op("mul", op("add", v, op("mul", cube, number(0.044715, k))),
                   number(math.sqrt(2 / math.pi), k))  # fmt: skip
        return op("mul", half, op("add", op("tanh", inner), number(1, k)))
    return op(
        "mul", half, op("add", op("erf", op("mul", v, number(math.sqrt(0.5), k))), number(1, k))
    )


@_activation("hardsigmoid.default")
def _hardsigmoid(v: Expr) -> Expr:
    k = v.kind
    shifted = op("add", v, number(3, k))
    return op("mul", clamped(shifted, number(0, k), number(6, k)), number(1 / 6, k))


@_activation("hardswish.default")
def _hardswish(v: Expr) -> Expr:
    return op("mul", v, _hardsigmoid(v))


@_activation("softplus.default")
def _softplus(v: Expr, beta: float = 1, threshold: float = 20) -> Expr:
    k = v.kind
    scaled = op("mul", v, number(beta, k))
    soft = op("mul", op("log1p", op("exp", scaled)), number(1 / beta, k))
    return op("where", op("gt", scaled, number(threshold, k)), v, soft)


@_activation("mish.default")
def _mish(v: Expr) -> Expr:
    return op("mul", v, op("tanh", _softplus(v)))


@_activation("log_sigmoid_forward.default")
def log_sigmoid(v: Expr) -> Expr:
    """min(v, 0) - log1p(exp(-|v|))."""
    tail = op("log1p", op("exp", op("neg", op("abs", v))))
    return op("sub", op("min", v, number(0, v.kind)), tail)


@_activation("square.default")
def _square(v: Expr) -> Expr:
    return op("mul", v, v)


@_activation("frac.default")
def _frac(v: Expr) -> Expr:
    return op("sub", v, op("trunc", v))


@lowers("lerp.Scalar", "lerp.Tensor")
def _lerp(c: Call, a: Lazy, b: Lazy, weight: Operand) -> Lazy:
    return pointwise(
        lambda x, y, w: op("add", x, op("mul", w, op("sub", y, x))), a, b, weight, dtype=c.dtype
    )


@lowers("addcmul.default")
def _addcmul(c: Call, x: Lazy, a: Lazy, b: Lazy, value: float = 1) -> Lazy:
    return pointwise(
        lambda v, p, q: op("add", v, op("mul", op("mul", p, q), number(value, v.kind))),
        x, a, b, dtype=c.dtype,
    )  # fmt: skip


@lowers("addcdiv.default")
def _addcdiv(c: Call, x: Lazy, a: Lazy, b: Lazy, value: float = 1) -> Lazy:
    return pointwise(
        lambda v, p, q: op("add", v, op("mul", op("div", p, q), number(value, v.kind))),
        x, a, b, dtype=c.dtype,
    )  # fmt: skip


@lowers("_prelu_kernel.default", "prelu.default")
def _prelu(c: Call, x: Lazy, weight: Lazy) -> Lazy:
    return pointwise(
        lambda v, w: op("where", op("gt", v, number(0, v.kind)), v, op("mul", v, w)),
        x, weight, dtype=c.dtype,
    )  # fmt: skip


@lowers("log_sigmoid_forward.default")
def _log_sigmoid_pair(c: Call, x: Lazy) -> tuple[Lazy, Lazy]:
    return pointwise(log_sigmoid, x, dtype=c.dtype), x


# ---- copies ----


@lowers("_to_copy.default", "to.dtype", "prims.convert_element_type.default")
def _to_copy(c: Call, x: Lazy, *_: Any, **__: Any) -> Lazy:
    return to_dtype(x, c.dtype)


@lowers(
    "clone.default", "alias.default", "detach.default", "lift_fresh_copy.default",
    "contiguous.default", "native_dropout_identity", "expand_copy", "_assert_scalar",
)  # fmt: skip
def _same(c: Call, x: Lazy, *_: Any, **__: Any) -> Lazy:
    return x


__all__ = ["clamped", "compute_dtype", "log_sigmoid", "power", "relu"]


@lowers("_assert_tensor_metadata.default", "_assert_async.msg", "sym_constrain_range.default")
def _assertion(c: Call, *_: Any, **__: Any) -> None:
    """Checked when the task was traced: shapes and dtypes are those of the candidate."""
